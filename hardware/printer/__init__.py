"""Receipt printers: layout, bytes, wires and the driver."""

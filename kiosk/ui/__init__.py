"""The lane's screen. Whatever here imports Kivy finds its environment already set."""

from kiosk.ui import environment

environment.prepare()

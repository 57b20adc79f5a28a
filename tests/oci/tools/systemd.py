#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A manager that answers as systemd's does, on a bus of its own: systemd.py BUS-ADDRESS.

Prints a line a call: its name, the unit, then KEY=VALUE of its properties in their order. A unit with "bad" in its name
fails; one with "gone" is not there any more.
"""
import sys

import dbus
import dbus.bus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

MANAGER = "org.freedesktop.systemd1.Manager"


def show(value):
    if isinstance(value, dbus.Boolean):
        return "yes" if value else "no"
    if isinstance(value, dbus.Array):
        return ",".join(str(int(item)) for item in value)
    return str(value)


def say(call, unit, properties=()):
    print(call, unit, *(f"{key}={show(value)}" for key, value in properties), flush=True)


class Manager(dbus.service.Object):
    def later(self, unit):
        result = "failed" if "bad" in unit else "done"
        GLib.idle_add(lambda: self.JobRemoved(1, "/job", unit, result) and False)
        return dbus.ObjectPath("/job")

    @dbus.service.signal(MANAGER, signature="uoss")
    def JobRemoved(self, number, job, unit, result):
        pass

    @dbus.service.method(MANAGER, in_signature="ssa(sv)a(sa(sv))", out_signature="o")
    def StartTransientUnit(self, unit, _mode, properties, _auxiliary):
        say("start", unit, properties)
        return self.later(unit)

    @dbus.service.method(MANAGER, in_signature="sba(sv)")
    def SetUnitProperties(self, unit, _runtime, properties):
        say("set", unit, properties)

    @dbus.service.method(MANAGER, in_signature="ss", out_signature="o")
    def StopUnit(self, unit, _mode):
        say("stop", unit)
        if "gone" in unit:
            raise dbus.DBusException("not loaded", name="org.freedesktop.systemd1.NoSuchUnit")
        return self.later(unit)


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
connection = dbus.bus.BusConnection(sys.argv[1])
service = dbus.service.BusName("org.freedesktop.systemd1", connection)
manager = Manager(connection, "/org/freedesktop/systemd1")
print("ready", flush=True)
GLib.MainLoop().run()

#!/usr/bin/env python3
"""A second Modbus server for tests, by pymodbus: what two of different make agree on is not a habit of one.

    pymodbus_server.py by=listen|tty [frames=mbap|rtu] [tty=PATH] [baud=N] [units=1-50] [image=FILE] [record=FILE]

The words, the units made by a number and the file of an image are those of server/main.c and server/image.c. Of an image
the lines of one unit must not overlap, and the identity is that of the whole server, as pymodbus has it. It prints `port N`
or `tty PATH`, then `ready`. Units that it does not have stay silent.
"""

import asyncio
import json
import sys
import time

from pymodbus import FramerType, ModbusDeviceIdentification
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

MADE = 1000
TABLES = ("coil", "discrete", "holding", "input")  # in the order of SimDevice


def parity(number):
    return bin(number).count("1") & 1


def made(unit):
    """The blocks of a unit that is known by its number alone."""
    where = [(unit * 256 + at) & 0xFFFF for at in range(MADE)]
    coils = [bool(parity(unit + at)) for at in range(MADE)]
    return {
        "coil": [(0, coils)],
        "discrete": [(0, [not on for on in coils])],
        "holding": [(0, where)],
        "input": [(0, [value ^ 0xFFFF for value in where])],
    }


def numbers(text):
    """1-50,60"""
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def read_image(path, units, identity):
    for line in open(path, encoding="utf-8"):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[1] == "identity":
            identity[int(words[2], 0)] = " ".join(words[3:])
            continue
        values = [int(value, 0) for value in words[3:]]
        blocks = units.setdefault(int(words[0]), {table: [] for table in TABLES})
        blocks[words[1]].append((int(words[2], 0), values))


def block(table, at, values):
    if table in ("coil", "discrete"):
        return SimData(at, values=[bool(value) for value in values], datatype=DataType.BITS)
    return SimData(at, values=values, datatype=DataType.REGISTERS)


def device(unit, tables):
    # A table that has nothing still needs a block; it is where nobody looks.
    blocks = [[block(table, *place) for place in tables[table]] or [block(table, 65535, [0])] for table in TABLES]
    return SimDevice(unit, tuple(blocks))


class Record:
    """What was asked, a line of JSON each, before it is answered. It does not know what the answer holds."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8", buffering=1) if path else None

    def __call__(self, sending, pdu):
        if self.file and not sending:
            line = {"at": time.monotonic_ns() // 1000, "conn": 0, "unit": pdu.dev_id, "function": pdu.function_code,
                    "address": getattr(pdu, "address", 0), "count": getattr(pdu, "count", 0), "values": [],
                    "said": "unknown", "faults": []}
            self.file.write(json.dumps(line) + "\n")
        return pdu


async def main():
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    units = {unit: made(unit) for unit in numbers(words.get("units", ""))}
    objects = {}
    if "image" in words:
        read_image(words["image"], units, objects)
    devices = [device(unit, tables) for unit, tables in units.items()]
    framer = FramerType.RTU if words.get("frames") == "rtu" or words["by"] == "tty" else FramerType.SOCKET
    how = {"framer": framer, "ignore_missing_devices": True, "trace_pdu": Record(words.get("record"))}
    if objects:
        how["identity"] = ModbusDeviceIdentification(info=objects)
    if words["by"] == "tty":
        baud = int(words.get("baud", "115200"))
        server = ModbusSerialServer(devices, port=words["tty"], baudrate=baud, **how)
        await server.serve_forever(background=True)
        print("tty", words["tty"])
    else:
        server = ModbusTcpServer(devices, address=("127.0.0.1", 0), **how)
        await server.serve_forever(background=True)
        print("port", server.transport.sockets[0].getsockname()[1])
    print("ready", flush=True)
    await server.serving


asyncio.run(main())

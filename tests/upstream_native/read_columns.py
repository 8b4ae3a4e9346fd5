"""Reads a message of columns, written from docs/dmgw-1.md and nothing else: each reading becomes a line of JSON.

Usage: read_columns.py FILE...
"""
import json
import struct
import sys

import zstandard


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, n):
        assert self.left() >= n, "too short"
        self.at += n
        return self.data[self.at - n : self.at]

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        n = shift = 0
        while True:
            byte = self.byte()
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return n

    def zigzag(self):
        n = self.varint()
        return (n >> 1) ^ -(n & 1)

    def step(self, before):
        return (before + self.zigzag()) % 2**64


def runs(section):
    while section.left():
        code = section.byte()
        for _ in range(section.varint()):
            yield code


def planes(section, size):
    count = section.left() // size
    data = section.data
    return iter([bytes(data[place * count + i] for place in range(size)) for i in range(count)])


def signed(n):
    return n - 2**64 if n >= 2**63 else n


class Values:
    def __init__(self, sections):
        self.steps, self.bits, self.blobs = sections[5], sections[8], sections[9]
        self.wide, self.narrow = planes(sections[6], 8), planes(sections[7], 4)
        self.code = self.before = self.text = None
        self.bit = 8

    def series(self, code, new_column):
        if new_column or code != self.code:
            self.code, self.before, self.text = code, 0, None

    def whole(self):
        self.before = self.steps.step(self.before)
        return self.before

    def bool(self):
        if self.bit == 8:
            self.byte, self.bit = self.bits.byte(), 0
        self.bit += 1
        return bool(self.byte >> (self.bit - 1) & 1)

    def blob(self):
        length = self.blobs.varint()
        if length:
            self.text = self.blobs.take(length - 1)
        return self.text

    def next(self):
        code = self.code
        if code == 0:
            return self.bool()
        if code == 1:
            return signed(self.whole())
        if code == 2:
            return self.whole()
        if code == 7:
            return {"time": self.whole()}
        if code == 8:
            n = self.whole()
            return {"object": [n >> 16, n & 0xFFFF]}
        if code == 3:
            return struct.unpack("<d", next(self.wide))[0]
        if code == 4:
            return struct.unpack("<f", next(self.narrow))[0]
        if code == 5:
            return self.blob().decode()
        if code == 6:
            return {"bytes": self.blob().hex()}
        if code == 9:
            return self.tagged()
        assert 16 <= code <= 25, code
        return signed(self.whole()) / 10 ** (code - 16)

    def tagged(self):
        tag, blobs = self.blobs.byte(), self.blobs
        if tag == 0:
            return blobs.varint() != 0
        if tag == 1:
            return blobs.zigzag()
        if tag == 2:
            return blobs.varint()
        if tag == 7:
            return {"time": blobs.varint()}
        if tag == 8:
            n = blobs.varint()
            return {"object": [n >> 16, n & 0xFFFF]}
        if tag == 3:
            return struct.unpack("<d", blobs.take(8))[0]
        if tag == 5:
            return blobs.take(blobs.varint()).decode()
        if tag == 6:
            return {"bytes": blobs.take(blobs.varint()).hex()}
        assert tag == 9, tag
        return [self.tagged() for _ in range(blobs.varint())]


QUALITIES = ["good", "uncertain", "device-says", "out-of-range", "wrong-type"]


def read(message):
    message = Bytes(message)
    assert message.byte() == 1
    journal = message.take(16).hex()
    spans = struct.unpack("<H", message.take(2))[0]
    damaged = [struct.unpack("<QQ", message.take(16)) for _ in range(spans)]
    assert message.byte() == 1
    boot, first, count, earliest, _span = [message.varint() for _ in range(5)]
    offset = message.zigzag()
    clock = ["unset", "held", "set"][message.byte()]
    size = message.varint()
    body = Bytes(zstandard.ZstdDecompressor().decompress(message.take(message.left()), max_output_size=size))
    assert body.left() == size
    lengths = [body.varint() for _ in range(13)]
    sections = [Bytes(body.take(length)) for length in lengths]
    arrivals = list(arrivals_of(sections, earliest))
    readings = [
        {"journal": journal, "boot": boot, "clock": clock, "device": device, "mono": time, "time": time + offset, "point": point}
        for device, time, points in arrivals
        for point in points
    ]
    assert len(readings) == count
    fill(readings, sections)
    for place, reading in enumerate(readings):
        reading["seq"] = first + place
    return damaged, readings


def arrivals_of(sections, earliest):
    sets = []
    while sections[3].left():
        points, point = [], 0
        for _ in range(sections[3].varint()):
            point = sections[3].step(point)
            points.append(point)
        sets.append(points)
    device, time = 0, earliest
    while sections[2].left():
        device, time = sections[0].step(device), sections[1].step(time)
        yield device, time, sets[sections[2].varint()]


def fill(readings, sections):
    # Sorting is stable: what is alike stays as it came.
    order = sorted(range(len(readings)), key=lambda place: (readings[place]["point"], readings[place]["device"]))
    codes, values = runs(sections[4]), Values(sections)
    qualities = runs(sections[10]) if sections[10].left() else None
    present = runs(sections[11]) if sections[11].left() else None
    source, last = 0, (None, None)
    for place in order:
        reading = readings[place]
        now = (reading["point"], reading["device"])
        if now != last:
            values.series(next(codes), now[0] != last[0])
            last = now
        reading["value"] = values.next()
        reading["quality"] = QUALITIES[next(qualities)] if qualities else "good"
        reading["source"] = None
        if present and next(present):
            source = sections[12].step(source)
            reading["source"] = source


for name in sys.argv[1:]:
    with open(name, "rb") as file:
        spans, found = read(file.read())
    print(json.dumps({"damaged": spans}))
    for reading in found:
        print(json.dumps(reading))

//! Messages as they travel, in V1's format, which `wit/gateway.wit` describes at `encoded-handler`.

const std = @import("std");
const abi = @import("abi.zig");
const Message = @import("message.zig").Message;

const magic = [_]u8{ 0xA1, 0x60 };
/// Where the properties begin.
const header = 10;

/// What is larger is published by its parts: that spares its memory a copy.
const most = 64 << 10;

/// A number that stands before other bytes.
pub fn number(bytes: []const u8) u32 {
    return std.mem.readInt(u32, bytes[0..4], .big);
}

/// The size that a frame says it has.
pub fn sizeOf(frame: []const u8) usize {
    return number(frame[2..]);
}

/// A message whose texts stand where they are. The host has checked the frame.
pub fn decode(frame: []const u8) !Message {
    var message = Message{};
    var rest = frame[header..];
    for (0..number(frame[6..])) |_| {
        const key = std.mem.sliceTo(rest, 0);
        const value = std.mem.sliceTo(rest[key.len + 1 ..], 0);
        try message.set(key, value);
        rest = rest[key.len + value.len + 2 ..];
    }
    message.content = rest[4..];
    return message;
}

/// The bytes, in the memory of the call. None where a text contains U+0000, of which the host says what is to be said,
/// and for a large message.
pub fn encode(message: *const Message) !?[]const u8 {
    const keys = message.properties.keys();
    const values = message.properties.values();
    var size: usize = header + 4 + message.content.len;
    for (keys, values) |key, value| {
        for ([_][]const u8{ key, value }) |text| {
            if (std.mem.indexOfScalar(u8, text, 0) != null) return null;
            size += text.len + 1;
        }
        if (size > most) return null;
    }
    if (size > most) return null;
    const frame = try abi.arena.alloc(u8, size);
    @memcpy(frame[0..2], &magic);
    put(frame[2..], size);
    put(frame[6..], keys.len);
    var rest = frame[header..];
    for (keys, values) |key, value| {
        for ([_][]const u8{ key, value }) |text| {
            @memcpy(rest[0..text.len], text);
            rest[text.len] = 0;
            rest = rest[text.len + 1 ..];
        }
    }
    put(rest, message.content.len);
    @memcpy(rest[4..], message.content);
    return frame;
}

fn put(bytes: []u8, value: usize) void {
    std.mem.writeInt(u32, bytes[0..4], @intCast(value), .big);
}

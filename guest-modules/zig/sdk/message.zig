//! What travels between modules.

const std = @import("std");
const abi = @import("abi.zig");
const encoded = @import("encoded.zig");
const sandgate = @import("sandgate.zig");

/// Properties and content. It lives until the end of the call.
pub const Message = struct {
    /// Values by keys; neither have U+0000.
    properties: std.array_hash_map.String([]const u8) = .empty,
    /// Any bytes, also none.
    content: []const u8 = "",

    /// The value of a property.
    pub fn get(message: *const Message, key: []const u8) ?[]const u8 {
        return message.properties.get(key);
    }

    /// Replaces a property, or adds it. Key and value are not copied: they must live until the end of the call.
    pub fn set(message: *Message, key: []const u8, value: []const u8) error{OutOfMemory}!void {
        try message.properties.put(abi.arena, key, value);
    }

    /// Publishes it under this module's name. Waits while the queue to the gateway is full.
    pub fn publish(message: *const Message) !void {
        const frame = try encoded.encode(message) orelse return message.publishParts();
        var result: abi.EncodedResult = undefined;
        abi.encoded_broker.@"publish-encoded"(frame.ptr, frame.len, &result);
        if (result.failed == 0) return;
        return refused(result.reason, result.payload.text, result.payload.limit);
    }

    fn publishParts(message: *const Message) !void {
        const properties = try abi.arena.alloc(abi.Property, message.properties.count());
        for (properties, message.properties.keys(), message.properties.values()) |*property, key, value| {
            property.* = .{ .key = .of(key), .value = .of(value) };
        }
        var result: abi.PublishResult = undefined;
        abi.broker.publish(properties.ptr, properties.len, message.content.ptr, message.content.len, &result);
        if (result.failed == 0) return;
        return refused(result.reason, result.payload.text, result.payload.limit);
    }

    fn refused(reason: u8, text: abi.Slice, limit: u64) error{ Failed, OutOfMemory } {
        const what = "the message was not published: ";
        return switch (reason) {
            0 => sandgate.fail(what ++ "{s}", .{text.get()}),
            1 => sandgate.fail(what ++ "it is larger than the limit of {d} bytes", .{limit}),
            2 => sandgate.fail(what ++ "that is possible from start on, not in create", .{}),
            3 => sandgate.fail(what ++ "no gateway is connected", .{}),
            else => sandgate.fail(what ++ "the gateway did not take messages in time", .{}),
        };
    }
};

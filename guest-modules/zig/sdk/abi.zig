//! The contract as the canonical ABI flattens it: functions of the host, and the memory that it is given.

const std = @import("std");

/// A text or bytes. What the pointer of an empty one is means nothing.
pub const Slice = extern struct {
    ptr: [*]const u8,
    len: usize,

    pub fn of(bytes: []const u8) Slice {
        return .{ .ptr = bytes.ptr, .len = bytes.len };
    }

    /// The bytes, which the host wrote to memory of this module.
    pub fn get(slice: Slice) []const u8 {
        return if (slice.len == 0) "" else slice.ptr[0..slice.len];
    }
};

pub const Property = extern struct { key: Slice, value: Slice };

pub const PublishResult = extern struct {
    failed: u8,
    reason: u8 align(8),
    payload: extern union { text: Slice, limit: u64 },
};

pub const EncodedResult = extern struct {
    failed: u8,
    published: u32 align(8),
    reason: u8 align(8),
    payload: extern union { text: Slice, limit: u64 } align(8),
};

pub const TimerResult = extern struct {
    failed: u8,
    payload: extern union { timer: u64, reason: u8 },
};

pub const broker = struct {
    pub extern "sandgate:gateway/broker@0.1.0" fn publish(
        properties: [*]const Property,
        count: usize,
        content: [*]const u8,
        size: usize,
        result: *PublishResult,
    ) void;
};

pub const encoded_broker = struct {
    pub extern "sandgate:gateway/encoded-broker@0.1.0" fn @"publish-encoded"(
        messages: [*]const u8,
        size: usize,
        result: *EncodedResult,
    ) void;
};

pub const encoded_deliveries = struct {
    pub extern "sandgate:gateway/encoded-deliveries@0.1.0" fn done(refused: u32, text: [*]const u8, size: usize) u32;
};

pub const log = struct {
    pub extern "sandgate:gateway/log@0.1.0" fn log(level: u32, text: [*]const u8, size: usize) void;
};

pub const timers = struct {
    pub extern "sandgate:gateway/timers@0.1.0" fn every(milliseconds: u64, result: *TimerResult) void;
    pub extern "sandgate:gateway/timers@0.1.0" fn after(milliseconds: u64, result: *TimerResult) void;
    pub extern "sandgate:gateway/timers@0.1.0" fn cancel(timer: u64) void;
};

/// Why the call that runs has failed, where somebody said so.
pub var reason: ?[]const u8 = null;

var call = std.heap.ArenaAllocator.init(std.heap.wasm_allocator);
var deliveries = std.heap.ArenaAllocator.init(std.heap.wasm_allocator);

/// What lives until the end of a call.
pub const arena = call.allocator();

/// How much of a call's memory is kept for the next one.
const kept = 1 << 20;

/// Frees what came for the call and was made in it.
pub fn endCall() void {
    reason = null;
    _ = call.reset(.{ .retain_with_limit = kept });
}

/// Sets aside what came for the call: each of several messages in it is a call to its module.
pub fn beginDeliveries() void {
    std.mem.swap(std.heap.ArenaAllocator, &call, &deliveries);
}

/// Frees what was set aside.
pub fn endDeliveries() void {
    std.mem.swap(std.heap.ArenaAllocator, &call, &deliveries);
    endCall();
}

/// The host puts what it hands over into the memory of the call.
export fn cabi_realloc(_: ?[*]u8, _: usize, alignment: usize, size: usize) [*]u8 {
    return room(arena, alignment, size) orelse @panic("out of memory for what the host hands over");
}

/// WASI's adapter keeps what it asks for.
export fn cabi_realloc_adapter(_: ?[*]u8, _: usize, alignment: usize, size: usize) [*]u8 {
    return room(std.heap.wasm_allocator, alignment, size) orelse @panic("out of memory for WASI");
}

/// An empty text or list is asked for, too, which an allocator must not be: any address does, if it is aligned.
fn room(allocator: std.mem.Allocator, alignment: usize, size: usize) ?[*]u8 {
    if (size == 0) return @ptrFromInt(alignment);
    return allocator.rawAlloc(size, .fromByteUnits(alignment), @returnAddress());
}

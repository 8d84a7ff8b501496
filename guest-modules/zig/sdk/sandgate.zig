//! What a Sandgate module in Zig is written with.
//!
//! A module is a struct with `Args`, `create` and `receive`, and, where it wants them, `start`, `onTimer` and `destroy`:
//!
//!     const Site = struct {
//!         name: []const u8,
//!         pub const Args = []const u8;
//!         pub const example = "\"lab\"";
//!
//!         pub fn create(name: Args) !Site {
//!             return .{ .name = name };
//!         }
//!         pub fn receive(self: *Site, message: *sandgate.Message, _: sandgate.Delivery) !void {
//!             try message.set("site", self.name);
//!             try message.publish();
//!         }
//!     };
//!
//!     pub const std_options = sandgate.options;
//!     pub const panic = sandgate.panic;
//!     comptime {
//!         sandgate.exportModule(Site);
//!     }
//!
//! An error of `create` or `receive` is told by what `fail` said, or by its name; after that of `receive` the module lives
//! on. A panic ends the instance, with its message in the verdict. `std.log` writes to the host's log.

const std = @import("std");
const abi = @import("abi.zig");
const configuration = @import("configuration.zig");

pub const exportModule = @import("export.zig").exportModule;
pub const Message = @import("message.zig").Message;

/// How a message came to be delivered.
pub const Delivery = struct {
    /// The module that published it, where the channel tells.
    source: ?[]const u8,
    /// 1 for the first delivery, one more for each repetition after a failure.
    attempt: u32,
};

/// What lives as long as the module: its `Args` do. Never frees by itself.
pub const gpa = std.heap.wasm_allocator;

/// What lives until the end of the call that the host makes: the message that came, and whatever is of no use later.
pub const arena = abi.arena;

/// Says why, for the person who reads the log or wrote the configuration, and gives the error to return.
pub fn fail(comptime format: []const u8, arguments: anytype) error{ Failed, OutOfMemory } {
    abi.reason = try std.fmt.allocPrint(arena, format, arguments);
    return error.Failed;
}

/// What is told of an error: what `fail` said last, or its name.
pub fn why(failure: anyerror) []const u8 {
    return abi.reason orelse @errorName(failure);
}

/// Timers, for a module with `onTimer`.
pub const timers = struct {
    /// Names a timer of this module.
    pub const Timer = u64;

    /// Calls `onTimer` every so many milliseconds, the first time after the first period.
    pub fn every(milliseconds: u64) !Timer {
        return set(abi.timers.every, milliseconds);
    }

    /// Calls `onTimer` once, after so many milliseconds.
    pub fn after(milliseconds: u64) !Timer {
        return set(abi.timers.after, milliseconds);
    }

    /// Ends a timer. One that is unknown or over is ignored.
    pub fn cancel(timer: Timer) void {
        abi.timers.cancel(timer);
    }

    fn set(ask: *const fn (u64, *abi.TimerResult) callconv(.c) void, milliseconds: u64) !Timer {
        var result: abi.TimerResult = undefined;
        ask(milliseconds, &result);
        if (result.failed == 0) return result.payload.timer;
        return switch (result.payload.reason) {
            0 => fail("there is no timer: the module has no onTimer", .{}),
            1 => fail("there is no timer: the module has as many as it may", .{}),
            else => fail("there is no timer: its period must be 1 or more milliseconds", .{}),
        };
    }
};

/// What `std_options` of the root file should be, so that `std.log` writes to the host's log.
pub const options: std.Options = .{ .logFn = log };

fn log(
    comptime level: std.log.Level,
    comptime scope: @EnumLiteral(),
    comptime format: []const u8,
    arguments: anytype,
) void {
    const prefix = if (scope == .default) "" else "(" ++ @tagName(scope) ++ ") ";
    const line = std.fmt.allocPrint(gpa, prefix ++ format, arguments) catch return;
    defer gpa.free(line);
    abi.log.log(switch (level) {
        .debug => 1,
        .info => 2,
        .warn => 3,
        .err => 4,
    }, line.ptr, line.len);
}

/// What `panic` of the root file should be: the message goes to standard error, and so into the verdict, which has the
/// functions too. Zig's own would also look for a stack in a file that is not there, and is as large as all the rest.
pub const panic = std.debug.FullPanic(tell);

fn tell(message: []const u8, _: ?usize) noreturn {
    @branchHint(.cold);
    for ([_][]const u8{ "panic: ", message, "\n" }) |part| {
        var size: usize = 0;
        // That it cannot be told does not keep it from ending.
        _ = std.os.wasi.fd_write(2, &.{.{ .base = part.ptr, .len = part.len }}, 1, &size);
    }
    @trap();
}

/// A JSON value as text.
pub fn written(value: std.json.Value) error{OutOfMemory}![]const u8 {
    return std.json.Stringify.valueAlloc(arena, value, .{});
}

/// What a JSON pointer (RFC 6901) leads to, as in `/cpu/usage`.
pub const at = configuration.at;

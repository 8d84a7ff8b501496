//! Moving average of a number in JSON messages, with an alert above a threshold.
//!
//! `args`: `pointer`, the JSON pointer of the number in a message's content; `window`, over how many messages to average;
//! `above`, the threshold. What is published has the incoming message's properties, `average` and `alert` (`true` or
//! `false`), and as content {"value": …, "average": …, "above": …}.

const std = @import("std");
const sandgate = @import("sandgate");

/// Keeps a mistyped window from filling the sandbox's memory.
const largest_window = 100_000;

const Threshold = struct {
    args: Args,
    /// The last numbers; the oldest is replaced where the window is full.
    numbers: []f64,
    count: usize = 0,

    pub const Args = struct { pointer: []const u8, window: u64, above: f64 };
    pub const example = "{\"pointer\": \"/cpu/usage\", \"window\": 5, \"above\": 0.8}";

    pub fn create(args: Args) !Threshold {
        if (args.pointer.len > 0 and args.pointer[0] != '/') {
            return sandgate.fail(
                "args.pointer: found {s}, wanted a JSON pointer, which begins with `/`; write for example {s}",
                .{ args.pointer, example },
            );
        }
        if (args.window == 0 or args.window > largest_window) {
            return sandgate.fail(
                "args.window: found {d}, wanted a number of messages from 1 to {d}; write for example {s}",
                .{ args.window, largest_window, example },
            );
        }
        return .{ .args = args, .numbers = try sandgate.gpa.alloc(f64, @intCast(args.window)) };
    }

    pub fn receive(self: *Threshold, message: *sandgate.Message, _: sandgate.Delivery) !void {
        const value = try self.numberIn(message.content);
        const average = self.averaged(value);
        try message.set("average", try std.fmt.allocPrint(sandgate.arena, "{d}", .{rounded(average)}));
        try message.set("alert", if (average > self.args.above) "true" else "false");
        message.content = try std.json.Stringify.valueAlloc(sandgate.arena, .{
            .value = rounded(value),
            .average = rounded(average),
            .above = self.args.above,
        }, .{});
        try message.publish();
    }

    fn numberIn(self: *Threshold, content: []const u8) !f64 {
        const json = std.json.parseFromSliceLeaky(std.json.Value, sandgate.arena, content, .{}) catch |failure| {
            return sandgate.fail("the content is no JSON: {s}", .{@errorName(failure)});
        };
        const pointer = self.args.pointer;
        const found = try sandgate.at(json, pointer) orelse {
            return sandgate.fail("{s}: the content has nothing there", .{pointer});
        };
        return switch (found) {
            .integer => |number| @floatFromInt(number),
            .float => |number| number,
            else => sandgate.fail("{s}: found {s}, wanted a number", .{ pointer, try sandgate.written(found) }),
        };
    }

    fn averaged(self: *Threshold, number: f64) f64 {
        const window = self.numbers.len;
        self.numbers[self.count % window] = number;
        self.count += 1;
        const filled = @min(self.count, window);
        var sum: f64 = 0;
        // From the oldest, and anew each time: a running sum would keep the rounding errors of numbers long gone.
        for (self.count - filled..self.count) |index| sum += self.numbers[index % window];
        return sum / @as(f64, @floatFromInt(filled));
    }
};

/// Four digits after the point: more would only be noise to whoever reads it.
fn rounded(number: f64) f64 {
    const scaled = @round(number * 10_000);
    return if (std.math.isFinite(scaled)) scaled / 10_000 else number;
}

pub const std_options = sandgate.options;
pub const panic = sandgate.panic;

comptime {
    sandgate.exportModule(Threshold);
}

//! Adds properties to every message and passes the rest on unchanged.
//!
//! `args` is an object of texts, the properties to add: {"site": "lab"}. A single text becomes the property `annotation`.
//! Property `annotated-by` is added in any case. A property that the message already has is replaced.

const std = @import("std");
const sandgate = @import("sandgate");

const Annotate = struct {
    args: Args,

    pub const Args = std.json.Value;
    pub const example = "{\"site\": \"lab\"}";

    pub fn create(args: Args) !Annotate {
        switch (args) {
            .null, .string => {},
            .object => |object| for (object.keys(), object.values()) |key, value| {
                if (value != .string) {
                    const name = try std.mem.concat(sandgate.arena, u8, &.{ "args.", key });
                    return notUsable(name, value, "a text, in quotes");
                }
            },
            else => return notUsable("args", args, "an object of texts, or one text"),
        }
        return .{ .args = args };
    }

    pub fn receive(self: *Annotate, message: *sandgate.Message, _: sandgate.Delivery) !void {
        try message.set("annotated-by", "annotate");
        switch (self.args) {
            .string => |text| try message.set("annotation", text),
            .object => |object| for (object.keys(), object.values()) |key, value| try message.set(key, value.string),
            else => {},
        }
        try message.publish();
    }

    fn notUsable(key: []const u8, found: std.json.Value, wanted: []const u8) anyerror {
        const value = try sandgate.written(found);
        return sandgate.fail("{s}: found {s}, wanted {s}; write for example {s}", .{ key, value, wanted, example });
    }
};

pub const std_options = sandgate.options;
pub const panic = sandgate.panic;

comptime {
    sandgate.exportModule(Annotate);
}

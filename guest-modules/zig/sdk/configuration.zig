//! Reading a module's `args` into a type of its own, with errors that name the key.

const std = @import("std");
const sandgate = @import("sandgate.zig");
const Value = std.json.Value;

/// Reads a struct, each of whose fields must be there unless it has a default; or a `std.json.Value`, or a text. What it
/// gives lives as long as the module.
pub fn read(comptime Args: type, text: []const u8, comptime example: []const u8) !Args {
    const value = std.json.parseFromSliceLeaky(Value, sandgate.gpa, text, .{}) catch |failure| {
        return sandgate.fail("args: no JSON ({s}); write for example {s}", .{ @errorName(failure), example });
    };
    if (@typeInfo(Args) != .@"struct") return field(Args, "args", value, example);
    const object = switch (value) {
        .object => |object| object,
        else => return refused("args", value, "an object", example),
    };
    for (object.keys()) |key| {
        if (!has(Args, key)) {
            return sandgate.fail("args.{s}: there is no such key; write for example {s}", .{ key, example });
        }
    }
    var args: Args = undefined;
    const wanted = @typeInfo(Args).@"struct";
    inline for (wanted.field_names, wanted.field_types, wanted.field_attrs) |name, Type, attributes| {
        if (object.get(name)) |found| {
            @field(args, name) = try field(Type, "args." ++ name, found, example);
        } else if (attributes.defaultValue(Type)) |default| {
            @field(args, name) = default;
        } else {
            return sandgate.fail("args: the key `{s}` is missing; write for example {s}", .{ name, example });
        }
    }
    return args;
}

fn has(comptime Args: type, key: []const u8) bool {
    inline for (@typeInfo(Args).@"struct".field_names) |name| {
        if (std.mem.eql(u8, name, key)) return true;
    }
    return false;
}

fn field(comptime Type: type, key: []const u8, value: Value, comptime example: []const u8) !Type {
    if (Type == Value) return value;
    switch (@typeInfo(Type)) {
        .optional => |optional| {
            return if (value == .null) null else try field(optional.child, key, value, example);
        },
        .int => if (value == .integer) {
            if (std.math.cast(Type, value.integer)) |number| return number;
        },
        .float => switch (value) {
            .integer => |number| return @floatFromInt(number),
            .float => |number| return @floatCast(number),
            else => {},
        },
        .bool => if (value == .bool) return value.bool,
        .pointer => if (value == .string) return value.string,
        else => @compileError("a configuration has texts, numbers, true and false, and std.json.Value"),
    }
    const wanted = switch (@typeInfo(Type)) {
        .int => |int| if (int.signedness == .unsigned) "a whole number from 0" else "a whole number",
        .float => "a number",
        .bool => "true or false",
        else => "a text, in quotes",
    };
    return refused(key, value, wanted, example);
}

fn refused(key: []const u8, value: Value, wanted: []const u8, comptime example: []const u8) anyerror {
    return sandgate.fail("{s}: found {s}, wanted {s}; write for example {s}", .{
        key, try sandgate.written(value), wanted, example,
    });
}

/// What a JSON pointer (RFC 6901) leads to.
pub fn at(value: Value, pointer: []const u8) error{OutOfMemory}!?Value {
    var found = value;
    var steps = std.mem.splitScalar(u8, pointer, '/');
    // What stands before the first slash is nothing.
    if (steps.next().?.len != 0) return null;
    while (steps.next()) |step| {
        const slashes = try std.mem.replaceOwned(u8, sandgate.arena, step, "~1", "/");
        const key = try std.mem.replaceOwned(u8, sandgate.arena, slashes, "~0", "~");
        found = switch (found) {
            .object => |object| object.get(key) orelse return null,
            .array => |array| array.items[indexOf(key, array.items.len) orelse return null],
            else => return null,
        };
    }
    return found;
}

fn indexOf(key: []const u8, size: usize) ?usize {
    const is_number = key.len == 1 or (key.len > 1 and key[0] != '0');
    for (key) |digit| if (!std.ascii.isDigit(digit)) return null;
    const index = std.fmt.parseInt(usize, key, 10) catch return null;
    return if (is_number and index < size) index else null;
}

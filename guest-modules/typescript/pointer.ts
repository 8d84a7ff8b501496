// JSON pointers, as in RFC 6901.

import type { Json } from "../javascript/sdk/sandgate.js";

/** What a pointer leads to in a value that was read from JSON; undefined where there is nothing. */
export function pointed(value: Json, pointer: string): Json | undefined {
    for (const step of pointer.split("/").slice(1)) {
        const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
        if (value === null || typeof value !== "object" || !Object.hasOwn(value, key)) return undefined;
        // A list has other properties than its elements.
        if (Array.isArray(value) && !/^(0|[1-9][0-9]*)$/.test(key)) return undefined;
        value = (value as { [key: string]: Json })[key]!;
    }
    return value;
}

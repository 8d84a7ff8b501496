// Texts and bytes. The engine has no TextEncoder and no TextDecoder; what it has is made use of natively, for a loop
// over the bytes of a large content takes a hundred times as long.

/** A text as UTF-8. */
export function encode(text) {
    const utf8 = /[^\x00-\x7f]/.test(text) ? unescape(encodeURIComponent(wellFormed(text))) : text;
    return Uint8Array.fromBase64(btoa(utf8));
}

/** UTF-8 as a text; throws a URIError where it is none. */
export function decode(bytes) {
    const utf8 = atob(bytes.toBase64());
    return /[^\x00-\x7f]/.test(utf8) ? decodeURIComponent(escape(utf8)) : utf8;
}

/** A value as a text that UTF-8 can have: without halves of surrogate pairs. */
export function wellFormed(value) {
    return String(value).toWellFormed();
}

const DEEPEST = 128;

/** Reads JSON; throws a SyntaxError where it is none, or has more than 128 values one in the other. */
export function parse(text) {
    // The engine's reader calls itself, and at the end of the stack the host ends the instance: a stranger's message
    // must not reach that.
    if ((hasMany("[", text) || hasMany("{", text)) && isDeep(text)) {
        throw new SyntaxError(`it is more than ${DEEPEST} values deep`);
    }
    return JSON.parse(text);
}

// A text that has few of both cannot be deep, and is not looked at again.
function hasMany(character, text) {
    let place = -1;
    for (let count = 0; count < DEEPEST / 2; count += 1) {
        place = text.indexOf(character, place + 1);
        if (place < 0) return false;
    }
    return true;
}

function isDeep(text) {
    let depth = 0;
    // Strings, also one without an end, and what makes depth.
    for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"?|[[\]{}]/gs)) {
        if (token === "[" || token === "{") depth += 1;
        else if (token === "]" || token === "}") depth -= 1;
        if (depth > DEEPEST) return true;
    }
    return false;
}

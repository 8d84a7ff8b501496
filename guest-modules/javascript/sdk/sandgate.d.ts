// The types of sandgate.js: what a Sandgate module in JavaScript or TypeScript is written with.

/** A value that JSON has. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** How a message came to be delivered. */
export interface Delivery {
    /** The module that published it; null where the channel does not tell, as a V1 gateway's does not. */
    readonly source: string | null;
    /** 1 for the first delivery, one more for each repetition after a failure. */
    readonly attempt: number;
}

/**
 * A module: all of it may be left out. The calls come one at a time, and none of them may return a promise.
 *
 * In `create` and `receive` an exception is an error: the configuration, or the message, was of no use. It is logged,
 * the text of a `Refusal` as it is, anything else with its stack. In the other calls it ends the instance.
 */
export interface Module {
    /** Makes the module from its `args`, which have been read from JSON. */
    create?(configuration: any): void;
    /** All modules are created and linked: from here on `publish` can be used. */
    start?(): void;
    /** Takes one message. After an exception the module lives on, and the message is not delivered again. */
    receive?(message: Message, delivery: Delivery): void;
    /** A timer's time has come. */
    onTimer?(timer: number): void;
    /** The last call. */
    destroy?(): void;
}

/** The exports of a component. */
export interface Component {
    readonly module: object;
    readonly timerHandler: object;
}

/**
 * Makes the exports of a component of a class whose constructor takes nothing, or of an object. A plain module exports
 * `module` alone; one with timers exports `timerHandler` too and is built for the world `gateway-module-timers`.
 */
export function component(definition: Module | (new () => Module)): Component;

/** A message: properties with unique keys, and a content of any bytes, also none. */
export class Message {
    constructor(content?: string | Uint8Array, properties?: Properties);
    /** Keys with their values. What is no text becomes one when the message is published. */
    readonly properties: Map<string, Property>;
    /** The content. A text that is set is encoded as UTF-8. */
    get content(): Uint8Array;
    set content(content: string | Uint8Array);
    /** The content as text; a `Refusal` where it is not UTF-8. */
    text(): string;
    /** The content as the JSON value that it is; a `Refusal` where it is none. */
    json(): Json;
}

/** What can be the value of a property that is set. The value of one that is received is a text. */
export type Property = string | number | boolean;

/** Properties: pairs, as a Map has them, or the keys and values of an object. */
export type Properties = Iterable<readonly [string, Property]> | { readonly [key: string]: Property };

/**
 * Publishes a message under this module's name. Waits while the queue to the gateway is full, for three quarters of
 * the time that the call which it is made from may take; throws a `PublishError`.
 */
export function publish(message: Message | { content?: string | Uint8Array; properties?: Properties }): void;

/** Being called again later, for modules with `onTimer`. */
export const timers: {
    /** Calls `onTimer` every so many milliseconds, a whole number; gives the timer, or throws a `Refusal`. */
    every(milliseconds: number): number;
    /** Calls `onTimer` once, after so many milliseconds. */
    after(milliseconds: number): number;
    /** Ends a timer. One that is unknown or over is ignored. */
    cancel(timer: number): void;
};

/** What a module says on purpose: that its configuration, or a message, is of no use. Its text stands alone. */
export class Refusal extends Error {}

/** Why a message was not published. */
export class PublishError extends Refusal {
    readonly code: "invalid" | "too-large" | "not-started" | "disconnected" | "congested";
}

/** What has the type of an example: its texts are any texts, its numbers any numbers. */
export type Like<T> = T extends string ? string
    : T extends number ? number
    : T extends boolean ? boolean
    : T extends readonly (infer Element)[] ? Like<Element>[]
    : { [Key in keyof T]: Like<T[Key]> };

/**
 * The configuration, if it is an object with the keys of the example, each with a value of the example's type, and no
 * others. The keys in `optional` may be missing, or null. Lists and objects in it are not looked into.
 * Throws a `Refusal` that names the key and shows the example.
 */
export function likeExample<T extends object>(configuration: unknown, example: T): Like<T>;
export function likeExample<T extends object, Optional extends keyof T & string>(
    configuration: unknown,
    example: T,
    optional: readonly Optional[],
): Like<Omit<T, Optional>> & { [Key in Optional]?: Like<T[Key]> | null };

/** A text as UTF-8. */
export function encode(text: string): Uint8Array;

/** UTF-8 as a text; throws a URIError where it is none. */
export function decode(bytes: Uint8Array): string;

declare global {
    /** The host's log, marked with the module's name; `log` writes at the level `info`. */
    var console: Record<"trace" | "debug" | "log" | "info" | "warn" | "error", (...values: unknown[]) => void>;
}

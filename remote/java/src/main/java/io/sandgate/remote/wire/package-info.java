/**
 * The bytes of V1's wire: control messages, fields, addresses and limits. Nothing here knows a socket or a thread.
 */
package io.sandgate.remote.wire;

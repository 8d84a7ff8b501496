/** What the tests are written with: a runner, checks, and a gateway that is played step by step. */
package io.sandgate.remote.testing;

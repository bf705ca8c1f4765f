//! Tests of parts that meet only over HTTP, and of the real binary. One binary, one module a concern.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod bad_server;
#[cfg(test)]
mod contradictions;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod platform;

//! Tests of parts that meet only over HTTP. One binary, one module a concern.

mod contradictions;

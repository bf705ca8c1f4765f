//! The reference provider: what stands for every model vendor.

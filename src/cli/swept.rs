//! What a sweep comes to.

/// What a sweep of one run came to.
#[derive(Default)]
pub(crate) struct Outcome {
    pub lines: Vec<String>,
    pub removed: usize,
    pub left: usize,
    /// On a server that is gone for good.
    pub forgotten: usize,
}

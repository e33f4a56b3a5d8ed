//! Ids of nodes: of which program, and which of its nodes.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// One node of one program.
///
/// A program gives out ids of its own nodes and takes no others: its homogeneous form and its windows
/// are programs of their own, with ids of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    program: Tag,
    index: NodeIndex,
}

/// A node's place in the list of its program: what the nodes of one program know each other by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub(crate) usize);

/// What tells programs apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Tag(u64);

impl Tag {
    /// One that no other program of this process has.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn id(self, index: NodeIndex) -> NodeId {
        NodeId {
            program: self,
            index,
        }
    }

    pub(super) fn index(self, id: NodeId) -> Result<NodeIndex> {
        match id.program == self {
            true => Ok(id.index),
            false => Err(Error::ForeignNode {
                node: id.index.0,
                of: id.program.0,
                here: self.0,
            }),
        }
    }
}

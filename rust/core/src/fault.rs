//! What goes wrong in code that is not ours.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// An error of a plug-in, passed through as it is. Two are equal when they are the same one.
#[derive(Clone)]
pub struct Fault(Arc<dyn Error + Send + Sync>);

impl Fault {
    /// What a plug-in raised.
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }

    /// A plug-in gave something that it must not give.
    #[must_use]
    pub fn misuse(what: &'static str) -> Self {
        Self::new(Misuse(what))
    }

    /// The error itself, for who knows its type.
    #[must_use]
    pub fn get(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl PartialEq for Fault {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Fault {}

/// A contract that a plug-in broke.
#[derive(Debug, thiserror::Error)]
#[error("the plug-in {0}")]
struct Misuse(&'static str);

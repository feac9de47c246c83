//! What can go wrong over a transport, by who can do something about it.

use core::fmt;
use std::io;

use super::accept::Refused;
use super::outcome::Closed;
use crate::connection::SendError;
use crate::error::Failure;
use crate::message::AssemblyError;

/// Why a call on an open WebSocket did not do what it should.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The connection is over. Every later call gives the same.
    Closed(Closed),
    /// The peer broke a rule, or a deadline passed. The Close that says so was
    /// sent before this was returned. Every later call gives the same.
    Failed(Failure),
    /// The call cannot be carried out; the connection is as it was.
    Send(SendError),
    /// A message could not be put together; the connection was failed.
    Assembly(AssemblyError),
    /// The inbox holds unread bytes of another connection, or another one holds
    /// those of this one. Nothing was lost: call again with the right one.
    ForeignInbox,
    /// A message was begun in pieces, and must be finished in pieces. Nothing was
    /// lost.
    PiecesUnderWay,
    /// The queue has no room for the message, and the call does not wait.
    QueueFull,
    /// Writing made no progress for the whole write-stall deadline. Later calls say
    /// how the connection ended.
    WriteStalled,
    /// The transport reported an error. Later calls say how the connection ended.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(closed) => closed.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Assembly(error) => error.fmt(f),
            Self::ForeignInbox => f.write_str("the inbox belongs to another connection"),
            Self::PiecesUnderWay => {
                f.write_str("a message that was begun in pieces is not finished")
            }
            Self::QueueFull => f.write_str("the queue of bytes to send is full"),
            Self::WriteStalled => f.write_str("the peer stopped reading"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Send(error) => Some(error),
            Self::Assembly(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Closed(_)
            | Self::ForeignInbox
            | Self::PiecesUnderWay
            | Self::QueueFull
            | Self::WriteStalled => None,
        }
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<&Closed> for Error {
    /// What every call says on a connection that ended like this.
    fn from(closed: &Closed) -> Self {
        closed.failure().map_or_else(|| Self::Closed(closed.clone()), Self::Failed)
    }
}

/// Why nothing can be written any more: what an adapter keeps, to say it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Writing made no progress for the whole write-stall deadline.
    Stalled,
    /// The transport reported an error of this kind.
    Io(io::ErrorKind),
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Stalled => Self::WriteStalled,
            Broken::Io(kind) => Self::Io(kind.into()),
        }
    }
}

/// Why a server's connection was not opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// The request breaks a rule, or the program wants none; the answer that says so was sent.
    Refused(Refused),
    /// The peer left before its request was whole.
    Incomplete,
    /// The transport reported an error.
    Io(io::Error),
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Incomplete => f.write_str("handshake incomplete: the peer left"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AcceptError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Io(error) => Some(error),
            Self::Incomplete => None,
        }
    }
}

impl From<Refused> for AcceptError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<io::Error> for AcceptError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

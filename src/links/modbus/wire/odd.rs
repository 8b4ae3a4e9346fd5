//! Why there is no answer.

use super::Exception;

/// Bytes came that are not the answer to what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Odd {
    #[error("the checksum is wrong")]
    Checksum,
    #[error("unit {0} answered instead")]
    Unit(u8),
    #[error("the answer is one to function {0}")]
    Function(u8),
    #[error("the answer ends too early or too late")]
    Length,
    #[error("{asked} values were asked for, room for {came} came")]
    Quantity { asked: usize, came: usize },
    #[error("the answer repeats another address or value than the one that was written")]
    Echo,
    #[error("the answer belongs to another request")]
    Transaction,
    #[error("what came is not Modbus")]
    Protocol,
    #[error("more came after the answer")]
    More,
    #[error("{0} bytes came that are no answer")]
    Noise(usize),
    #[error("the answer makes no sense: {0}")]
    Senseless(String),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("no answer")]
    Silent,
    #[error("{0}")]
    Exception(Exception),
    #[error("no right answer: {0}")]
    NotAnAnswer(Odd),
    /// The port or the connection went away after the request, or a part of it, had gone out.
    #[error("lost: {0}")]
    Lost(String),
    /// Not a byte went out.
    #[error("not sent: {0}")]
    NotSent(String),
}

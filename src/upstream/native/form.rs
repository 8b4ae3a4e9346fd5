//! In which form a message stands: its name is the last level of the topic, its media type the content type of MQTT 5.

use std::fmt;
use std::str::FromStr;

/// Of records, responses and announcements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    Json,
    JsonZstd,
    Cbor,
    CborZstd,
}

/// Of readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readings {
    SenmlJson,
    SenmlJsonZstd,
    SenmlCbor,
    #[default]
    SenmlCborZstd,
    /// The journal's own blocks.
    Columns,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{given:?} is no form of such a message; there are {known}")]
pub struct NoForm {
    given: String,
    known: String,
}

impl Form {
    pub const ALL: [Form; 4] = [Form::Json, Form::JsonZstd, Form::Cbor, Form::CborZstd];

    pub fn name(self) -> &'static str {
        match self {
            Form::Json => "json",
            Form::JsonZstd => "json-zstd",
            Form::Cbor => "cbor",
            Form::CborZstd => "cbor-zstd",
        }
    }

    pub fn media(self) -> &'static str {
        match self {
            Form::Json => "application/vnd.dmgw+json",
            Form::JsonZstd => "application/vnd.dmgw+json+zstd",
            Form::Cbor => "application/vnd.dmgw+cbor",
            Form::CborZstd => "application/vnd.dmgw+cbor+zstd",
        }
    }

    pub fn is_cbor(self) -> bool {
        matches!(self, Form::Cbor | Form::CborZstd)
    }

    pub fn is_packed(self) -> bool {
        matches!(self, Form::JsonZstd | Form::CborZstd)
    }
}

impl Readings {
    pub const ALL: [Readings; 5] =
        [Readings::SenmlJson, Readings::SenmlJsonZstd, Readings::SenmlCbor, Readings::SenmlCborZstd, Readings::Columns];

    pub fn name(self) -> &'static str {
        match self {
            Readings::SenmlJson => "senml-json",
            Readings::SenmlJsonZstd => "senml-json-zstd",
            Readings::SenmlCbor => "senml-cbor",
            Readings::SenmlCborZstd => "senml-cbor-zstd",
            Readings::Columns => "columns",
        }
    }

    pub fn media(self) -> &'static str {
        match self {
            Readings::SenmlJson => "application/senml+json",
            Readings::SenmlJsonZstd => "application/senml+json+zstd",
            Readings::SenmlCbor => "application/senml+cbor",
            Readings::SenmlCborZstd => "application/senml+cbor+zstd",
            Readings::Columns => "application/vnd.dmgw.columns",
        }
    }

    pub fn is_cbor(self) -> bool {
        matches!(self, Readings::SenmlCbor | Readings::SenmlCborZstd)
    }

    pub fn is_packed(self) -> bool {
        matches!(self, Readings::SenmlJsonZstd | Readings::SenmlCborZstd)
    }
}

macro_rules! by_name {
    ($form:ident) => {
        impl fmt::Display for $form {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $form {
            type Err = NoForm;

            fn from_str(text: &str) -> Result<$form, NoForm> {
                let found = $form::ALL.into_iter().find(|form| form.name() == text);
                found.ok_or_else(|| NoForm {
                    given: text.chars().take(40).collect(),
                    known: $form::ALL.map($form::name).join(", "),
                })
            }
        }
    };
}

by_name!(Form);
by_name!(Readings);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_found_by_its_name_and_another_is_told_which_there_are() {
        for form in Form::ALL {
            assert_eq!(form.name().parse(), Ok(form));
        }
        for form in Readings::ALL {
            assert_eq!(form.name().parse(), Ok(form));
        }
        let error = "yaml".parse::<Form>().unwrap_err().to_string();
        assert_eq!(error, "\"yaml\" is no form of such a message; there are json, json-zstd, cbor, cbor-zstd");
    }
}

//! Markets.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A market: one country by its ISO 3166-1 alpha-2 code, or any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Region {
    /// No region asked for; shown as `any`.
    Any,
    /// Two upper-case letters.
    Country([u8; 2]),
}

/// Why a text is not a region; the message ends a sentence that named the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRegion {
    /// Not a code of ISO 3166-1.
    #[error(
        "is not an ISO 3166-1 alpha-2 country code (two letters such as US, GB or DE; leave `regions` out for any)"
    )]
    Unknown,
    /// A name for the United Kingdom that is not its code.
    #[error("is not an ISO 3166-1 alpha-2 country code (the United Kingdom is GB)")]
    UnitedKingdom,
}

/// The officially assigned codes.
const ASSIGNED: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE \
    BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD \
    CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM \
    DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF \
    GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU \
    ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN \
    KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME \
    MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM \
    PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI \
    SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK \
    TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI \
    VN VU WF WS YE YT ZA ZM ZW";

impl Region {
    /// Reads a country code in any case.
    pub fn parse(text: &str) -> Result<Self, InvalidRegion> {
        let upper = text.trim().to_ascii_uppercase();
        match *upper.as_bytes() {
            [b'U', b'K'] => Err(InvalidRegion::UnitedKingdom),
            [a, b] if ASSIGNED.split_ascii_whitespace().any(|code| code == upper) => {
                Ok(Self::Country([a, b]))
            }
            _ => Err(InvalidRegion::Unknown),
        }
    }

    /// Reads a region as this program writes it: a country code, or `any`.
    pub fn parse_label(text: &str) -> Result<Self, InvalidRegion> {
        if text == Self::Any.as_str() { Ok(Self::Any) } else { Self::parse(text) }
    }

    /// The code, or `any`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Any => "any",
            Self::Country(code) => std::str::from_utf8(code).unwrap_or_default(),
        }
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.to_string()
    }
}

impl TryFrom<String> for Region {
    type Error = InvalidRegion;

    fn try_from(text: String) -> Result<Self, InvalidRegion> {
        Self::parse_label(&text)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_in_any_case_are_read() {
        for (text, want) in [("US", "US"), ("gb", "GB"), (" de ", "DE")] {
            assert_eq!(Region::parse(text).unwrap().as_str(), want);
        }
        assert_eq!(Region::parse_label("any"), Ok(Region::Any));
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for text in ["", "U", "USA", "XX", "12", "ÖÖ", "any", "us-east"] {
            assert_eq!(Region::parse(text), Err(InvalidRegion::Unknown), "{text:?}");
        }
        assert_eq!(Region::parse("uk"), Err(InvalidRegion::UnitedKingdom));
    }
}

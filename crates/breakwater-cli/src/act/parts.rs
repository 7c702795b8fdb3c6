//! Contracts that a command names by a flag or finds in the deployment file.

use alloy::primitives::Address;
use breakwater_bindings::deploy::Disputes;

use crate::act::frame::Scene;
use crate::failure::Failure;

impl Scene {
    /// The address that a flag names, else that of the deployment's contract of disputes.
    pub(crate) fn of_disputes(
        &self,
        flag: &'static str,
        given: Option<Address>,
        part: impl Fn(&Disputes) -> Address,
    ) -> Result<Address, Failure> {
        given.or_else(|| self.deployment.disputes.as_ref().map(part)).ok_or_else(|| {
            Failure::usage(format!("{flag}: expected a contract, the deployment file has no disputes"))
                .right(format!("{flag} ADDRESS, or the file of a deployment with reporters"))
        })
    }
}

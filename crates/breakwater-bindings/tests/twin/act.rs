//! One operation of the twin as a transaction on the contracts.

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::signers::SignerSync;
use alloy::sol_types::{SolCall, SolStruct};
use breakwater_bindings::eip712::PositionConsent;
use breakwater_bindings::{Incidents, Policies, Pool, Tranche};
use breakwater_policy::incident::Measurement;
use breakwater_policy::ops::{Clock, Op, Signed};
use breakwater_policy::policies::Purchase;

use crate::chain::{Done, Failure};
use crate::stage::{DEPLOYER, RefusingToken, Stage};

impl Stage {
    /// Performs `op`; answers what the transaction did, or why it reverted. Passing time is no transaction.
    pub(crate) fn act(&mut self, op: &Op) -> Option<Result<Done, Failure>> {
        if let Op::Pass { seconds, blocks } = op {
            let Clock { time, block } = self.chain.clock();
            self.chain.set_clock(Clock { time: time.plus(*seconds), block: block.plus(*blocks) });
            return None;
        }
        let (to, data) = self.encode(op);
        let from = match op {
            Op::Signed { signed: Signed::SetCluster { .. } | Signed::SetCredit { .. }, .. } => DEPLOYER,
            Op::Refuse { .. } | Op::SetGuardian { .. } | Op::SetCeiling { .. } => DEPLOYER,
            _ => op.caller(),
        };
        Some(self.chain.send(from, to, data))
    }

    fn encode(&mut self, op: &Op) -> (Address, Vec<u8>) {
        let (incidents, policies) = (self.incidents, self.policies);
        match op {
            Op::Refuse { asset, account, refused } => {
                (*asset, RefusingToken::refuseCall { account: *account, refused: *refused }.abi_encode())
            }
            Op::Buy { caller, purchase } => {
                let purchase = self.purchase(*caller, purchase);
                (policies, Policies::buyCall { purchase }.abi_encode())
            }
            Op::Lower { id, new_sum, .. } => {
                (policies, Policies::lowerCall { id: n(*id), newSum: *new_sum }.abi_encode())
            }
            Op::Split { id, sum_off, to, .. } => {
                let call = Policies::splitCall { id: n(*id), sumOff: *sum_off, to: *to };
                (policies, call.abi_encode())
            }
            Op::Cancel { id, .. } => (policies, Policies::cancelCall { id: n(*id) }.abi_encode()),
            Op::TransferPolicy { caller, id, to } => {
                let call = Policies::transferFromCall { from: *caller, to: *to, tokenId: n(*id) };
                (policies, call.abi_encode())
            }
            Op::Settle { id, incident, .. } => {
                (policies, Policies::settleCall { id: n(*id), incident: n(*incident) }.abi_encode())
            }
            Op::SettleBatch { ids, incident, .. } => {
                let ids = ids.iter().map(|id| n(*id)).collect();
                (policies, Policies::settleBatchCall { ids, incident: n(*incident) }.abi_encode())
            }
            Op::Open { gauge, rung, opener, measured, .. } => {
                let m = measurement(measured);
                let call = Incidents::openCall { gauge: *gauge, rung: *rung as u8, opener: *opener, m };
                (incidents, call.abi_encode())
            }
            Op::Revise { id, measured, .. } => {
                (incidents, Incidents::reviseCall { id: n(*id), m: measurement(measured) }.abi_encode())
            }
            Op::RecordPosition { id, account, lost, value, .. } => {
                let call = Incidents::recordPositionCall {
                    id: n(*id),
                    account: *account,
                    lost: *lost,
                    value: *value,
                };
                (incidents, call.abi_encode())
            }
            Op::Finalise { id, .. } => (incidents, Incidents::finaliseCall { id: n(*id) }.abi_encode()),
            other => self.encode_for_ladder(other),
        }
    }

    fn encode_for_ladder(&self, op: &Op) -> (Address, Vec<u8>) {
        let data = match op {
            Op::SetGuardian { guardian } => Incidents::setGuardianCall { guardian_: *guardian }.abi_encode(),
            Op::SetCeiling { rung, asset, ceiling } => {
                let rung = *rung as u8;
                Incidents::setCeilingCall { rung, asset: *asset, ceiling_: *ceiling }.abi_encode()
            }
            Op::Hold { id, undisputed, .. } => {
                Incidents::holdCall { id: n(*id), undisputed: *undisputed }.abi_encode()
            }
            Op::Escalate { id, .. } => Incidents::escalateCall { id: n(*id) }.abi_encode(),
            Op::Decide { id, loss, .. } => Incidents::decideCall { id: n(*id), loss: *loss }.abi_encode(),
            Op::Overrule { id, loss, .. } => Incidents::overruleCall { id: n(*id), loss: *loss }.abi_encode(),
            Op::Release { id, .. } => Incidents::releaseCall { id: n(*id) }.abi_encode(),
            Op::Extend { id, seconds, .. } => {
                Incidents::extendCall { id: n(*id), time: *seconds }.abi_encode()
            }
            other => return self.encode_for_pool(other),
        };
        (self.incidents, data)
    }

    fn encode_for_pool(&self, op: &Op) -> (Address, Vec<u8>) {
        match op {
            Op::Accrue { pool, .. } => (*pool, Pool::accrueCall {}.abi_encode()),
            Op::SetProduct { pool, product, cap, floor_rate, .. } => {
                let call = Pool::setProductCall { product: *product, cap: *cap, floorRate: floor_rate.get() };
                (*pool, call.abi_encode())
            }
            Op::Lock { pool, shares, .. } => (*pool, Pool::lockCall { shares: *shares }.abi_encode()),
            Op::Unlock { pool, shares, .. } => (*pool, Pool::unlockCall { shares: *shares }.abi_encode()),
            Op::CloseBooking { pool, incident, .. } => {
                (*pool, Pool::closeBookingCall { incident: n(*incident) }.abi_encode())
            }
            Op::Withdraw { pool, account, .. } => {
                (*pool, Pool::withdrawCall { account: *account }.abi_encode())
            }
            other => self.encode_for_tranche(other),
        }
    }

    fn encode_for_tranche(&self, op: &Op) -> (Address, Vec<u8>) {
        match op {
            Op::RequestDeposit { caller, pool, layer, assets, controller } => {
                let call = Tranche::requestDepositCall {
                    assets: n(*assets),
                    controller: *controller,
                    owner: *caller,
                };
                (self.tranche(*pool, *layer), call.abi_encode())
            }
            Op::ClaimDeposit { pool, layer, request_id, controller, .. } => {
                let call = Tranche::claimDepositCall { requestId: n(*request_id), controller: *controller };
                (self.tranche(*pool, *layer), call.abi_encode())
            }
            Op::RequestRedeem { caller, pool, layer, shares, controller } => {
                let call =
                    Tranche::requestRedeemCall { shares: *shares, controller: *controller, owner: *caller };
                (self.tranche(*pool, *layer), call.abi_encode())
            }
            Op::ProcessRedemptions { pool, layer, .. } => {
                (self.tranche(*pool, *layer), Tranche::processRedemptionsCall {}.abi_encode())
            }
            Op::ClaimRedeem { pool, layer, request_id, controller, .. } => {
                let call = Tranche::claimRedeemCall { requestId: n(*request_id), controller: *controller };
                (self.tranche(*pool, *layer), call.abi_encode())
            }
            Op::ClaimRecovery { pool, layer, incident, account, .. } => {
                let call = Tranche::claimRecoveryCall { incident: n(*incident), account: *account };
                (self.tranche(*pool, *layer), call.abi_encode())
            }
            Op::ClaimQueuedRecovery { pool, layer, incident, request_id, controller, .. } => {
                let call = Tranche::claimQueuedRecoveryCall {
                    incident: n(*incident),
                    requestId: n(*request_id),
                    controller: *controller,
                };
                (self.tranche(*pool, *layer), call.abi_encode())
            }
            Op::TransferShares { pool, layer, to, shares, .. } => {
                let call = Tranche::transferCall { to: *to, value: *shares };
                (self.tranche(*pool, *layer), call.abi_encode())
            }
            Op::Signed { signed, .. } => self.encode_signed(signed),
            Op::Ceded { caller, ceded } => {
                Self::encode_collateral(*caller, ceded).unwrap_or_else(|| self.encode_ceded(ceded))
            }
            other => panic!("{} is no call", other.name()),
        }
    }

    /// The tranche of a layer, 1 to 3.
    pub(crate) fn tranche(&self, pool: Address, layer: usize) -> Address {
        let (_, tranches, _) =
            self.scene.pools.iter().find(|(address, _, _)| *address == pool).expect("a pool of the scene");
        tranches[layer - 1]
    }

    fn purchase(&mut self, caller: Address, purchase: &Purchase) -> Policies::Purchase {
        let signed = purchase.consented && purchase.position != caller;
        let consent = if signed { self.consent(caller, purchase) } else { Bytes::new() };
        Policies::Purchase {
            product: purchase.product,
            pool: purchase.pool,
            position: purchase.position,
            sum: purchase.sum,
            expiry: purchase.expiry.0,
            maxPremium: purchase.max_premium,
            deadline: purchase.deadline.0,
            to: purchase.to,
            consent,
            distributor: purchase.distributor,
            feeBps: purchase.fee.get() as u16,
        }
    }

    /// The position account's signature for this one purchase.
    fn consent(&mut self, buyer: Address, purchase: &Purchase) -> Bytes {
        let nonce = self.chain.view(self.policies, &Policies::nonces_0Call { owner: purchase.position });
        let message = PositionConsent {
            position: purchase.position,
            product: purchase.product,
            buyer,
            nonce,
            deadline: U256::from(purchase.deadline.0),
        };
        let hash = message.eip712_hash_struct();
        let digest: B256 = keccak256([b"\x19\x01", self.domain.as_slice(), hash.as_slice()].concat());
        // Who has no key cannot sign.
        let Some(key) = self.keys.get(&purchase.position) else { return Bytes::new() };
        let signature = key.sign_hash_sync(&digest).expect("a key in memory signs");
        signature.as_bytes().to_vec().into()
    }
}

fn measurement(measured: &Measurement) -> Incidents::Measurement {
    Incidents::Measurement {
        onset: measured.onset.0,
        reading: measured.reading.0,
        onsetTime: measured.onset_time.0,
        afterTime: measured.after_time.0,
        base: measured.base,
        loss: measured.loss,
        evidence: measured.evidence,
    }
}

fn n(value: impl Into<u128>) -> U256 {
    U256::from(value.into())
}

//! Trying the subject out: every function, by ordinary and by privileged callers, with plausible
//! arguments, in simulation only.
//!
//! Traffic shows what people did; probing shows what they could do. It finds withdrawals that
//! nobody made yet, claims that can be made without assets, and assets that can be sent away.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, Bytes, U256, address, hex};
use breakwater_evm::{CallRequest, EvmError, Fork, Rules, Trace, View, Want};

use super::{
    abi::{Fill, Function, Kind, encode},
    asset::{Asset, NATIVE_GIFT, Purse},
    code::names,
    effect::{Effect, Origin, size},
    ledger::Writes,
    linear::{Leaf, address_in, field},
    scene::Scene,
};

/// Calls simulated at most for one subject.
pub const PROBES_MAX: usize = 24_000;
/// Gas simulated at most for one subject.
const GAS_MAX: u64 = 6_000_000_000;
/// Calls kept at most, with what they did.
const TRIALS_MAX: usize = 6_000;
/// Ways in which one function is tried by one caller.
const ATTEMPTS_MAX: usize = 64;
/// States acted on: callers, one of them later, and continued ones.
const STAGES_MAX: usize = HOLDERS + 1 + PRIVILEGED + 1 + REPEATED + CONTINUED;
/// Gas of one simulated call; plenty for an honest function, a bound on a hostile one.
const PROBE_GAS: u64 = 3_000_000;
/// Holders that are impersonated.
const HOLDERS: usize = 3;
/// Privileged accounts that are impersonated.
const PRIVILEGED: usize = 6;
/// Withdrawals of the chain that are repeated.
const REPEATED: usize = 3;
/// Deposits and borrowings that are continued.
const CONTINUED: usize = 6;
/// Numbers tried for one function.
const NUMBERS_MAX: usize = 8;
/// Value sent at most, in wei; every caller is given more.
const VALUE_MAX: U256 = U256::from_limbs([0, 1 << 19, 0, 0]);
/// Time that passes before a holder's second round.
const LATER_SECONDS: u64 = 400 * 86_400;
/// Words looked through for privileged addresses.
const LOW_SLOTS: u64 = 24;

/// Somebody whom nobody knows yet.
const NEWCOMER: Address = address!("0x7e57ed00000000000000000000000000000c0ffe");
/// Somebody else, as a receiver.
const STRANGER: Address = address!("0x7e57ed0000000000000000000000000000decade");

/// Who makes a simulated call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Holder,
    Newcomer,
    Privileged,
}

/// A state to act on.
pub(crate) struct Stage {
    pub(crate) fork: Fork,
    pub(crate) caller: Address,
    pub(crate) role: Role,
    /// What was done to get here, in words.
    pub(crate) after: String,
    /// Whether time was let pass.
    pub(crate) later: bool,
}

/// A simulated call that succeeded and changed something of the subject's.
pub(crate) struct Trial {
    pub(crate) stage: usize,
    pub(crate) role: Role,
    pub(crate) request: CallRequest,
    pub(crate) effect: Effect,
    pub(crate) trace: Trace,
}

#[derive(Default)]
pub(crate) struct Probes {
    pub(crate) stages: Vec<Stage>,
    pub(crate) trials: Vec<Trial>,
    /// Calls simulated.
    pub(crate) count: usize,
    /// Gas that they used.
    gas: u64,
    /// Whether a limit kept some calls from being tried.
    pub(crate) cut: bool,
}

impl Probes {
    /// Tries everything once, then continues after deposits and borrowings.
    pub(crate) fn run(
        scene: &Scene,
        assets: &[Asset],
        writes: &Writes,
        rules: Rules,
    ) -> Result<Self, EvmError> {
        let mut probes = Self::default();
        let mut purse = Purse::default();
        for (caller, role) in cast(scene, assets, writes)? {
            let mut fork = scene.view.fork();
            purse.fund(&scene.view, &mut fork, caller, scene.subject, assets)?;
            probes.stages.push(Stage { fork, caller, role, after: String::new(), later: false });
        }
        probes.add_later();
        for stage in 0..probes.stages.len() {
            probes.act(scene, assets, writes, stage)?;
        }
        probes.repeat_withdrawals(scene, assets, rules)?;
        let continued = probes.worth_continuing(assets);
        for trial in continued {
            let stage = probes.continue_after(trial)?;
            probes.act(scene, assets, writes, stage)?;
        }
        Ok(probes)
    }

    /// One holder, more than a year later: locks are over by then, and interest shows.
    fn add_later(&mut self) {
        let Some(holder) = self.stages.iter().find(|stage| stage.role == Role::Holder) else { return };
        let mut fork = holder.fork.clone();
        fork.advance(LATER_SECONDS, LATER_SECONDS / 12);
        let (caller, role) = (holder.caller, holder.role);
        self.stages.push(Stage { fork, caller, role, after: " a year later".to_owned(), later: true });
    }

    /// Trials on the state as it is, where nothing was done or let pass before.
    pub(crate) fn first_deposits(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(|trial| {
            let stage = &self.stages[trial.stage];
            stage.after.is_empty() && trial.role != Role::Privileged
        })
    }

    /// Withdrawals that the chain has seen, once more on the state before them: some need what only
    /// their senders could provide.
    fn repeat_withdrawals(&mut self, scene: &Scene, assets: &[Asset], rules: Rules) -> Result<(), EvmError> {
        let gone = |effect: &&Effect| {
            effect.to == scene.subject && assets.iter().any(|asset| effect.moved(&asset.leaf).is_negative())
        };
        for effect in scene.effects.iter().rev().filter(gone).take(REPEATED) {
            let Origin::Chain { block } = effect.origin else { continue };
            let before = View::at(scene.view.reader(), block.saturating_sub(1), rules)?;
            let mut fork = before.fork();
            fork.set_balance(effect.caller, before.balance(effect.caller)?.saturating_add(NATIVE_GIFT))?;
            let request = CallRequest::new(scene.subject, effect.data.clone()).from(effect.caller);
            let request = request.with_value(effect.value);
            let after = format!(" as in block {block}");
            let (caller, role) = (effect.caller, Role::Holder);
            self.stages.push(Stage { fork, caller, role, after, later: false });
            self.attempt(scene, assets, self.stages.len() - 1, request)?;
        }
        Ok(())
    }

    /// What the subject held of an asset after a trial.
    pub(crate) fn held_after(&self, trial: &Trial, asset: &Asset) -> Result<Option<U256>, EvmError> {
        let fork = &self.stages[trial.stage].fork;
        let before = match asset.leaf {
            Leaf::Native(account) => fork.balance(account)?,
            Leaf::Word { account, slot, offset, width } => field(fork.storage(account, slot)?, offset, width),
        };
        let moved = trial.effect.moved(&asset.leaf);
        Ok(if moved.is_negative() {
            before.checked_sub(size(moved))
        } else {
            before.checked_add(size(moved))
        })
    }

    fn act(
        &mut self,
        scene: &Scene,
        assets: &[Asset],
        writes: &Writes,
        stage: usize,
    ) -> Result<(), EvmError> {
        let caller = self.stages[stage].caller;
        let own = own_numbers(scene, assets, writes, caller)?;
        let mut tried: Vec<(Bytes, U256)> = own.iter().take(2).map(|value| (Bytes::new(), *value)).collect();
        for function in scene.functions.iter().filter(|function| !function.view) {
            tried.extend(attempts(scene, assets, function, caller, &own));
        }
        tried.retain(|(_, value)| *value <= VALUE_MAX);
        let budget = PROBES_MAX / STAGES_MAX;
        self.cut |= tried.len() > budget;
        for (data, value) in tried.into_iter().take(budget) {
            if self.gas >= GAS_MAX || self.trials.len() >= TRIALS_MAX {
                self.cut = true;
                break;
            }
            let mut request = CallRequest::new(scene.subject, data).from(caller).with_value(value);
            request.gas = PROBE_GAS;
            self.attempt(scene, assets, stage, request)?;
        }
        Ok(())
    }

    fn attempt(
        &mut self,
        scene: &Scene,
        assets: &[Asset],
        stage: usize,
        request: CallRequest,
    ) -> Result<(), EvmError> {
        let outcome = self.stages[stage].fork.run(&request)?;
        self.count += 1;
        self.gas = self.gas.saturating_add(outcome.gas_used);
        if !outcome.succeeded() {
            return Ok(());
        }
        let Stage { role, ref after, .. } = self.stages[stage];
        let called = hex::encode_prefixed(request.data.get(..4).unwrap_or_default());
        let what = format!("{role:?} calls {called}{after}").to_lowercase();
        let effect = Effect::of_probe(what, &request, &outcome);
        if effect.touches(scene.subject) && changes_something(&effect, scene, assets) {
            self.trials.push(Trial { stage, role, request, effect, trace: outcome.trace });
        }
        Ok(())
    }

    /// One trial of each function that brought assets in or took assets out, by ordinary callers.
    fn worth_continuing(&self, assets: &[Asset]) -> Vec<usize> {
        let mut seen = BTreeSet::new();
        let moves =
            |trial: &Trial| assets.iter().map(|asset| trial.effect.moved(&asset.leaf)).collect::<Vec<_>>();
        let mut chosen: Vec<usize> = Vec::new();
        for (index, trial) in
            self.trials.iter().enumerate().filter(|(_, trial)| trial.role != Role::Privileged)
        {
            let moved = moves(trial);
            let direction = (moved.iter().any(|m| m.is_positive()), moved.iter().any(|m| m.is_negative()));
            if direction != (false, false)
                && seen.insert((trial.effect.selector(), trial.role as u8, direction))
            {
                chosen.push(index);
            }
        }
        // Newcomers' deposits come first: existing holders already are where a deposit leads.
        chosen.sort_by_key(|index| self.trials[*index].role != Role::Newcomer);
        chosen.truncate(CONTINUED);
        chosen
    }

    fn continue_after(&mut self, trial: usize) -> Result<usize, EvmError> {
        let (stage, request) = (self.trials[trial].stage, self.trials[trial].request.clone());
        let from = &self.stages[stage];
        let mut fork = from.fork.clone();
        fork.apply(&request)?;
        let after = format!(" after {}", self.trials[trial].effect.selector());
        let next = Stage { fork, caller: from.caller, role: from.role, after, later: from.later };
        self.stages.push(next);
        Ok(self.stages.len() - 1)
    }
}

fn changes_something(effect: &Effect, scene: &Scene, assets: &[Asset]) -> bool {
    effect.words_of(scene.subject).next().is_some()
        || assets.iter().any(|asset| !effect.moved(&asset.leaf).is_zero())
        || effect.transfers.iter().any(|moved| moved.from == scene.subject || moved.to == scene.subject)
}

/// Who acts: the most recent holders, a newcomer, and whoever the subject's own words name.
fn cast(scene: &Scene, assets: &[Asset], writes: &Writes) -> Result<Vec<(Address, Role)>, EvmError> {
    let keyed: BTreeSet<Address> = writes.values().flatten().map(|(_, holder, ..)| *holder).collect();
    let recent = scene.senders.iter().rev().copied();
    let mut holders: Vec<Address> = recent.filter(|sender| keyed.contains(sender)).take(HOLDERS).collect();
    for holder in &keyed {
        if holders.len() < HOLDERS && !holders.contains(holder) && *holder != scene.subject {
            holders.push(*holder);
        }
    }
    let mut cast: Vec<(Address, Role)> = holders.into_iter().map(|holder| (holder, Role::Holder)).collect();
    cast.push((NEWCOMER, Role::Newcomer));
    for boss in privileged(scene, assets)? {
        if cast.iter().all(|(known, _)| *known != boss) {
            cast.push((boss, Role::Privileged));
        }
    }
    Ok(cast)
}

/// Accounts that the subject's own plain words name, and senders of traffic, its maker first.
fn privileged(scene: &Scene, assets: &[Asset]) -> Result<Vec<Address>, EvmError> {
    let mut found: Vec<Address> = scene.effects.first().map(|effect| effect.caller).into_iter().collect();
    let written =
        scene.effects.iter().flat_map(|effect| effect.words_of(scene.subject).map(|(slot, _)| slot));
    let slots: BTreeSet<U256> = (0..LOW_SLOTS).map(U256::from).chain(written).collect();
    let mut named = Vec::new();
    for slot in slots.into_iter().filter(|slot| scene.preimages.path(scene.subject, *slot).steps.is_empty()) {
        let word = scene.view.storage(scene.subject, slot)?;
        named.extend((0..=12).map(|byte| address_in(word, byte * 8)));
    }
    named.retain(|account| {
        let bits = U256::from_be_slice(&account[..]).bit_len();
        bits > 100 && *account != scene.subject && assets.iter().all(|asset| asset.token != *account)
    });
    named.sort_unstable();
    named.dedup();
    let wants: Vec<Want> = named.iter().copied().map(Want::Account).collect();
    scene.view.reader().prefetch(&wants, scene.view.block())?;
    // Bits that merely look like an address belong to no account that exists.
    for account in named {
        if scene.view.reader().account(account, scene.view.block())?.is_some() && !found.contains(&account) {
            found.push(account);
        }
    }
    for sender in scene.senders.iter().rev() {
        if !found.contains(sender) {
            found.push(*sender);
        }
    }
    found.truncate(PRIVILEGED);
    Ok(found)
}

/// Numbers that mean something to a caller: his own entries and parts of them, small numbers, and
/// a fraction of what the subject holds.
fn own_numbers(
    scene: &Scene,
    assets: &[Asset],
    writes: &Writes,
    caller: Address,
) -> Result<Vec<U256>, EvmError> {
    let mut numbers = Vec::new();
    for asset in assets {
        let held = asset.leaf.read(&scene.view)? / U256::from(16);
        numbers.push(if held.is_zero() { U256::from(10).pow(U256::from(18)) } else { held });
    }
    for shape in
        writes.iter().filter(|(_, all)| all.iter().any(|(_, h, ..)| *h == caller)).map(|(shape, _)| shape)
    {
        let word = scene.view.storage(shape.account, shape.slot(caller))?;
        let entry = if word.bit_len() <= 128 { word } else { field(word, 0, 128) };
        // Unlimited allowances are entries too, and no amount of anything.
        if entry.bit_len() <= 120 {
            numbers.extend([entry / U256::from(2), entry / U256::from(16)]);
        }
    }
    numbers.truncate(NUMBERS_MAX - 1);
    numbers.push(U256::from(3));
    let mut seen = BTreeSet::new();
    numbers.retain(|number| !number.is_zero() && seen.insert(*number));
    Ok(numbers)
}

/// Calldata and value for every way a function is tried.
fn attempts(
    scene: &Scene,
    assets: &[Asset],
    function: &Function,
    caller: Address,
    own: &[U256],
) -> Vec<(Bytes, U256)> {
    let mut all: Vec<(Bytes, U256)> = seen_before(scene, function, caller);
    let kinds = function.arguments.clone().unwrap_or_default();
    let mut addresses = vec![caller];
    if kinds.contains(&Kind::Address) {
        addresses.extend(assets.iter().map(|asset| asset.token).filter(|token| !token.is_zero()));
        addresses.extend([STRANGER, Address::ZERO]);
    }
    let numbers: &[U256] = if kinds.contains(&Kind::Number) { own } else { &own[..1.min(own.len())] };
    let flags: &[bool] = if kinds.contains(&Kind::Flag) { &[true, false] } else { &[false] };
    // Only a function that takes value is tried with it; the others would just revert.
    let values: Vec<U256> = if function.payable {
        own.iter().copied().take(2).chain([U256::ZERO]).collect()
    } else {
        vec![U256::ZERO]
    };
    for (number, further) in
        numbers_filled(numbers, kinds.iter().filter(|kind| **kind == Kind::Number).count())
    {
        for address in &addresses {
            for flag in flags {
                for value in &values {
                    let fill = Fill { number, further, address: *address, flag: *flag };
                    all.push((encode(function.selector, &kinds, fill), *value));
                }
            }
        }
    }
    let mut seen = BTreeSet::new();
    all.retain(|attempt| seen.insert(attempt.clone()));
    all.truncate(ATTEMPTS_MAX);
    all
}

/// First and further numbers: all alike, and where there are several also with one of them a small
/// one, as indices and sides are.
fn numbers_filled(numbers: &[U256], count: usize) -> Vec<(U256, U256)> {
    let mut all: Vec<(U256, U256)> = numbers.iter().map(|number| (*number, *number)).collect();
    if count > 1 {
        for small in [U256::ZERO, U256::ONE] {
            all.extend(numbers.iter().take(3).flat_map(|number| [(*number, small), (small, *number)]));
        }
    }
    all
}

/// Calldata that traffic used for this function, as it was and with numbers divided by eight, with
/// the sender's own address replaced by the caller's.
fn seen_before(scene: &Scene, function: &Function, caller: Address) -> Vec<(Bytes, U256)> {
    let mut latest: BTreeMap<usize, (Bytes, U256)> = BTreeMap::new();
    for effect in scene.effects.iter().rev() {
        let whole = effect.data.len() >= 4 && (effect.data.len() - 4).is_multiple_of(32);
        if effect.to != scene.subject || effect.data.get(..4) != Some(&function.selector[..]) || !whole {
            continue;
        }
        let words = |divisor: u64| -> Bytes {
            let mut data = function.selector.to_vec();
            for chunk in effect.data[4..].chunks(32) {
                let word = U256::from_be_slice(chunk);
                let word = if names(word, effect.caller) {
                    U256::from_be_bytes(caller.into_word().0)
                } else if word.bit_len() <= 128 && word.bit_len() > 3 {
                    word / U256::from(divisor)
                } else {
                    word
                };
                data.extend_from_slice(&word.to_be_bytes::<32>());
            }
            data.into()
        };
        latest.entry(0).or_insert((words(1), effect.value));
        latest.entry(1).or_insert((words(8), effect.value / U256::from(8)));
        if latest.len() == 2 {
            break;
        }
    }
    latest.into_values().collect()
}

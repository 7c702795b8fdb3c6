//! The contracts of the demo, which are unsafe on purpose, from the committed artifacts.
// The macro writes one item for each item of an ABI; the documentation is in the Solidity files.
#![allow(missing_docs, clippy::too_many_arguments)]

use alloy::sol;

sol! {
    #![sol(all_derives = true)]
    DemoBank, concat!(env!("OUT_DIR"), "/DemoBank.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoBankAttack, concat!(env!("OUT_DIR"), "/DemoBankAttack.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoToken, concat!(env!("OUT_DIR"), "/DemoToken.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoVault, concat!(env!("OUT_DIR"), "/DemoVault.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoVaultAttack, concat!(env!("OUT_DIR"), "/DemoVaultAttack.json")
}
sol! {
    #![sol(all_derives = true)]
    GuardedVault, concat!(env!("OUT_DIR"), "/GuardedVault.json")
}
sol! {
    #![sol(all_derives = true)]
    GuardedVaultAttack, concat!(env!("OUT_DIR"), "/GuardedVaultAttack.json")
}

/**
 * For WebSockets: a masking key of zero, which leaves every byte as it is, so that neither end goes over them and none is copied for it.
 * The mask keeps what is sent from being taken for a request by what stands between. Here that cannot read it (TLS) or is not there
 * (connections within this machine).
 */
export const ZERO_MASK = {
  generateMask(): void {
    // The key is zero before anything is written to it.
  },
};

// How many connections there may be on this instance, in all and from one address, with credentials or without: each is
// a descriptor and some memory, and without a bound one client takes them all. What other instances have from the address is
// asked for once the socket is open. [H7]

export interface PlaceLimits {
  /** 0: none. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
}

/** Of one address; shared by its connections. */
interface Address {
  readonly name: string;
  count: number;
}

/** What a connection holds until it ends. */
export type Place = Address;

export class Places {
  readonly #limits: PlaceLimits;
  readonly #addresses = new Map<string, Address>();
  #count = 0;

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /** A place, or which of the limits leaves none. Give it back once, with `leave`. */
  take(name: string): Place | 'all' | 'address' {
    const { connections, connectionsPerAddress } = this.#limits;
    if (connections > 0 && this.#count >= connections) return 'all';
    const address = this.#addresses.get(name) ?? { name, count: 0 };
    if (connectionsPerAddress > 0 && address.count >= connectionsPerAddress) return 'address';
    this.#addresses.set(name, address);
    address.count += 1;
    this.#count += 1;
    return address;
  }

  leave(address: Place): void {
    address.count -= 1;
    this.#count -= 1;
    if (address.count === 0) this.#addresses.delete(address.name);
  }
}

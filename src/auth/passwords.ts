// Passwords as argon2id hashes. Each takes 19 MiB and some 30 ms of a core, so only a few run at once and not many wait.

import { AppError } from '../protocol/errors.ts';

export interface Passwords {
  /** Throws `unavailable` when too many wait already. */
  hash(password: string): Promise<string>;
  /** Does the same work when there is no hash to compare with. Throws `unavailable` when too many wait already. */
  verify(password: string, hash: string | undefined): Promise<boolean>;
}

/** The least that OWASP's password storage cheat sheet recommends for argon2id (p = 1 is Bun's only choice). */
const argon2id = { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 } as const;

/** The hash of a random password that nobody knows, with the costs above: of users who cannot log in. */
export const unusableHash =
  '$argon2id$v=19$m=19456,t=2,p=1$VCtn3jwttXnPJ8zJLub+0yf3S9kE61vjri16i2mvyD8$iOa0YzRH8wVDSxS8t0WiAN3ZEs0hWjQKXC2OObA2iZM';

export function createPasswords({ maxRunning = 4, maxWaiting = 128 } = {}): Passwords {
  let running = 0;
  const waiting: (() => void)[] = [];

  const inTurn = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (running < maxRunning) running += 1;
    else if (waiting.length < maxWaiting) await new Promise<void>((resolve) => waiting.push(resolve));
    else
      throw new AppError('unavailable', 'Too many log in at once. Try again shortly.', {
        retryAfterMs: 2_000,
      });
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next)
        next(); // takes over this place
      else running -= 1;
    }
  };

  return {
    hash: (password) => inTurn(() => Bun.password.hash(password, argon2id)),
    verify: async (password, hash) => {
      const isRight = await inTurn(() => Bun.password.verify(password, hash ?? unusableHash));
      return isRight && hash !== undefined;
    },
  };
}

// How many passwords are hashed at once, and how many wait.

import { expect, test } from 'bun:test';
import { createPasswords } from '../../src/auth/passwords.ts';
import { AppError } from '../../src/protocol/errors.ts';

test('a password fits its own hash and no other', async () => {
  const passwords = createPasswords();
  const hash = await passwords.hash('correct horse');
  expect(await passwords.verify('correct horse', hash)).toBe(true);
  expect(await passwords.verify('correct horsf', hash)).toBe(false);
  expect(await passwords.verify('correct horse', undefined)).toBe(false);
});

test('over the bound it is unavailable, at once; who waits has a turn', async () => {
  const passwords = createPasswords({ maxRunning: 1, maxWaiting: 2 });
  const attempts = Array.from({ length: 5 }, () => passwords.hash('correct horse'));
  const outcomes = await Promise.allSettled(attempts);
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'rejected',
    'rejected',
  ]);
  const refused = outcomes.at(-1);
  expect(refused).toMatchObject({ reason: { code: 'unavailable', retryAfterMs: expect.any(Number) } });
  expect(refused?.status === 'rejected' && refused.reason instanceof AppError).toBe(true);
  expect(await passwords.hash('and afterwards it goes on')).toStartWith('$argon2id$');
});

test('a failure gives its place to the next', async () => {
  const passwords = createPasswords({ maxRunning: 1, maxWaiting: 2 });
  const outcomes = await Promise.allSettled([
    passwords.verify('correct horse', 'no hash at all'),
    passwords.hash('correct horse'),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
});

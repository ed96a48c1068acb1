// The claim `topics` of an access token: what its bearer may do on `app:` topics beyond the public ones. Our own tokens
// have none; a backend that shares JWT_SECRET makes tokens that do.

import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { TopicGrants } from '../realtime/index.ts';

const Patterns = Type.Array(Type.String({ pattern: '^[a-z0-9._*-]{1,100}$' }));
const TopicsClaim = Type.Object(
  { subscribe: Type.Optional(Patterns), publish: Type.Optional(Patterns) },
  { additionalProperties: false },
);

/** What the claim grants. One that is malformed anywhere grants nothing: half of it may not be what was meant. */
export function readTopicGrants(claim: unknown): TopicGrants | undefined {
  if (!Value.Check(TopicsClaim, claim)) return undefined;
  return { subscribe: claim.subscribe ?? [], publish: claim.publish ?? [] };
}

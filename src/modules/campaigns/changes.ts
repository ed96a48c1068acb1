// How the change of an entity is announced, the same for all: the payloads of `entity.updated`, `settlement.updated` and
// `structure.updated`; and which keys of a derived state are no longer true with it.

import type { Emit } from '../../realtime/index.ts';
import { type Member, maxInvalidatedKeys, type Scope, type Variables } from './contract.ts';
import { findChanged, isSame } from './rules.ts';
import { campaign } from './topics.ts';

interface Versioned {
  readonly id: string;
  readonly version: number;
}

export const created = <Entity extends Versioned>(entity: Entity) => announced('created', entity, entity, []);

export const updated = <Entity extends Versioned>(entity: Entity, changedFields: readonly string[]) =>
  announced('updated', entity, entity, changedFields);

export const deleted = (last: Versioned) => announced('deleted', last, null, []);

/** A member goes by the user's id, and has no version. */
export const memberCreated = (member: Member) => announcedMember('created', member.userId, member, []);
export const memberUpdated = (member: Member) => announcedMember('updated', member.userId, member, ['role']);
export const memberDeleted = (userId: string) => announcedMember('deleted', userId, null, []);

/** The fields that are given and different, in the order in which they are given. */
export function listChanged<Entity extends object>(
  entity: Entity,
  given: { readonly [Field in keyof Entity]?: Entity[Field] | undefined },
): (keyof Entity & string)[] {
  const fields = Object.keys(given) as (keyof Entity & string)[]; // what the type of `given` says
  return fields.filter((field) => given[field] !== undefined && !isSame(given[field], entity[field]));
}

/** The entity with these fields as given, and the next version. */
export function change<Entity extends Versioned>(
  entity: Entity,
  given: { readonly [Field in keyof Entity]?: Entity[Field] | undefined },
  changedFields: readonly (keyof Entity & string)[],
): Entity {
  const changes = Object.fromEntries(changedFields.map((field) => [field, given[field]]));
  return { ...entity, ...changes, version: entity.version + 1 };
}

/** Says which keys are no longer true, at most `maxInvalidatedKeys` an event. */
export function invalidate(
  emit: Emit,
  campaignId: string,
  scope: Scope,
  keys: readonly string[],
  reason: string,
): void {
  for (let start = 0; start < keys.length; start += maxInvalidatedKeys) {
    const some = keys.slice(start, start + maxInvalidatedKeys);
    emit(campaign.on(campaignId), 'state.invalidated', { scope, keys: some, reason });
  }
}

/** The keys of the variables that came, went or have another value. `topic`: that of the entity. */
export function listStaleVariables(topic: string, before: Variables, after: Variables): string[] {
  return findChanged(before, after).map((name) => `${topic}.variables.${name}`);
}

const announced = <Operation extends string, Entity>(
  operation: Operation,
  { id, version }: Versioned,
  entity: Entity,
  changedFields: readonly string[],
) => ({ entityId: id, operation, changedFields: [...changedFields], version, entity });

const announcedMember = <Operation extends string, Entity>(
  operation: Operation,
  userId: string,
  entity: Entity,
  changedFields: readonly string[],
) => ({
  entityType: 'member' as const,
  entityId: userId,
  operation,
  changedFields: [...changedFields],
  version: null,
  entity,
});

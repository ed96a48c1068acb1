// What users may be, spelled out once.

import { type Static, Type } from '@sinclair/typebox';

export const Role = Type.Union([Type.Literal('user'), Type.Literal('worker'), Type.Literal('admin')]);
export type Role = Static<typeof Role>;

export const roles: readonly Role[] = Role.anyOf.map((role) => role.const);

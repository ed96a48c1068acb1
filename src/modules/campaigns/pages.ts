// Where a page of a list by id begins.

import { Type } from '@sinclair/typebox';
import { Id } from '../../protocol/values.ts';

export const IdPosition = Type.Tuple([Id]);

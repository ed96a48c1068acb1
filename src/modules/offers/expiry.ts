// Offers whose time is over expire, by the clock of the database, whichever instance comes first.

import { asc, inArray } from 'drizzle-orm';
import { timed } from '../../realtime/index.ts';
import { offers } from './schema.ts';
import { expireOffer } from './writer.ts';

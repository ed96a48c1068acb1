// The modules of this server. A line here adds one: its topics, its routes, its commands.

import type { DefinedModule } from '../realtime/index.ts';
import { campaignsModule } from './campaigns/index.ts';
import { chatModule } from './chat/index.ts';
import { gameModule } from './game/index.ts';
import { jobsModule } from './jobs/index.ts';
import { offersModule } from './offers/index.ts';
import { topicsModule } from './topics/index.ts';

export const allModules = [
  topicsModule,
  chatModule,
  offersModule,
  campaignsModule,
  gameModule,
  jobsModule,
] as const satisfies readonly DefinedModule[];

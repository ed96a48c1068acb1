// The modules of this server. A line here adds one: its topics, its routes, its commands.

import type { Module, ModuleCore } from '../realtime/index.ts';
import { chatModule } from './chat/index.ts';
import { topicsModule } from './topics/index.ts';

const modules = [topicsModule, chatModule];

export const startModules = (core: ModuleCore): Module[] => modules.map((module) => module(core));

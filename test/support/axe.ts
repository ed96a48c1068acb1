// What axe finds on a page: faults of accessibility, of those that keep somebody out.

import type { AxeResults, ElementContext, RunOptions } from 'axe-core';
import type { Page } from 'playwright-core';

const source = Bun.resolveSync('axe-core/axe.min.js', import.meta.dir);

interface Axe {
  run(context: ElementContext, options: RunOptions): Promise<AxeResults>;
}

/** The serious and critical ones, as `rule: element`. `exclude`: parts of the page that are not ours. */
export async function listSeriousFaults(page: Page, exclude: readonly string[] = []): Promise<string[]> {
  await page.evaluate(await Bun.file(source).text());
  return await page.evaluate(async (excluded) => {
    const { axe } = window as unknown as { axe: Axe }; // the script above put it there
    const context = { include: ['html'], exclude: [...excluded] };
    const { violations } = await axe.run(context, { resultTypes: ['violations'] });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  }, exclude);
}

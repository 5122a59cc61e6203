// Takes docs/images/graphiql.png: GraphiQL with a live subscription. Needs Chromium and a running demo:
//   npm run demo
//   npx tsx scripts/screenshot.ts [http://127.0.0.1:3000]
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openBrowser } from '../tests/support/browser.ts';

const [url = 'http://127.0.0.1:3000'] = process.argv.slice(2);
const file = join(import.meta.dirname, '../docs/images/graphiql.png');

const { page, close } = await openBrowser({ width: 1280, height: 680 });
try {
  await page.goto(`${url}/graphql`);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await page.getByRole('button', { name: 'Hide editor tools' }).press('Enter');
  await page.getByRole('button', { name: /^Execute query/ }).click();
  await page.getByRole('menuitem', { name: 'Watch' }).click();
  await page.locator('.graphiql-query-editor .view-line').first().click();
  await page.keyboard.press('PageDown');
  await page.keyboard.press('PageDown');
  await page.locator('.view-line', { hasText: 'subscription' }).first().waitFor();
  // An event with everything in it; the next one may be less telling.
  await page.locator('.graphiql-response', { hasText: 'SUCCEEDED' }).waitFor({ timeout: 60_000 });
  mkdirSync(dirname(file), { recursive: true });
  await page.screenshot({ path: file });
  console.log(`Wrote ${file}`);
} finally {
  await close();
}

import type { AlertText } from '../domain/alert/alert-text.ts';

/** The plain text of a mail. */
export function mailText({ title, facts }: AlertText): string {
  const width = Math.max(...facts.map(({ label }) => label.length));
  const lines = facts.map(({ label, value }) => `${`${label}:`.padEnd(width + 2)}${value}`);
  return `${title}\n\n${lines.join('\n')}\n`;
}

/** The same text as HTML. A mail program has nothing to fetch for it. */
export function mailHtml({ title, facts }: AlertText): string {
  const rows = facts.map(
    ({ label, value }) =>
      `<tr><th align="left" valign="top" style="padding:2px 12px 2px 0">${escapeHtml(label)}</th>` +
      `<td style="padding:2px 0">${escapeHtml(value)}</td></tr>`,
  );
  return (
    `<!doctype html><html><body style="font-family:sans-serif;font-size:14px">` +
    `<h2 style="font-size:18px">${escapeHtml(title)}</h2><table>${rows.join('')}</table></body></html>`
  );
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

import { html } from "hono/html";
import type { Child } from "hono/jsx";
import { assetPath } from "../assets.ts";

interface DocumentProps {
  title: string;
  /** What this page has in its head beyond what all have. */
  head?: Child;
  /** The body, whole. */
  children?: Child;
}

/** What every page of the family begins with. The theme is set before anything is drawn. */
export function Document({ title, head, children }: DocumentProps) {
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{title}</title>
        <link rel="icon" href={assetPath("icon.svg")} type="image/svg+xml" />
        {head}
        <script src={assetPath("theme.js")}></script>
        <link rel="stylesheet" href={assetPath("app.css")} />
      </head>
      {children}
    </html>
  );
  // Without its doctype a page is drawn by the rules of another century.
  return html`<!doctype html>${page}`;
}

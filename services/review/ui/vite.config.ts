import { fileURLToPath } from 'node:url';

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// `CONSILIUM_API` is a running suite, for `npm run dev`.
const api = process.env.CONSILIUM_API ?? 'http://127.0.0.1:8080';
const owned = ['/diagnoses', '/dicomweb', '/notes', '/vitals', '/audit', '/consents', '/models', '/sign-in-options'];

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  // Nothing is inlined: the page's content policy admits only files of its own origin.
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 500 },
  server: { proxy: Object.fromEntries(owned.map((prefix) => [prefix, api])) },
  test: { environment: 'happy-dom', include: ['src/**/*.test.{ts,tsx}'] },
});

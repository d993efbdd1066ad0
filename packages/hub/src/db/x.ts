import { y } from "./bad.ts"; export const x = () => y;

/** A file's text, as the bundler of the tests gives it in either engine. */
declare module "*.md?raw" {
  const text: string;
  export default text;
}

-- The two roles of a PostgreSQL database, for psql as a superuser, once:
--
--   psql --set=owner_password=… --set=application_password=… --file deploy/roles.sql postgres
--
-- The owner makes and changes the tables (`samhandling migrate`). The application neither owns them, nor is it a
-- superuser or exempt from row-level security: what it sees is what each transaction says it may see.

CREATE ROLE samhandling_owner LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'owner_password';
CREATE ROLE samhandling LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'application_password';
CREATE DATABASE samhandling OWNER samhandling_owner;
REVOKE ALL ON DATABASE samhandling FROM PUBLIC;
GRANT CONNECT ON DATABASE samhandling TO samhandling;

\connect samhandling
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE, USAGE ON SCHEMA public TO samhandling_owner;

"""What Alembic runs: the migrations, in the transaction of the connection that it is handed."""

from alembic import context

from lineage.database.schema import VERSION_TABLE
from lineage.database.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,  # true of SQLite too, once Python's driver leaves transactions alone
)
context.run_migrations()

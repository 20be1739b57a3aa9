using Microsoft.Data.Sqlite;

namespace R1Serverless.Queues.Sqlite;

/// <summary>What can be done with the tables of <c>queue.db</c>, by the thread that owns the connection.</summary>
internal sealed class QueueTables
{
    public QueueTables(SqliteConnection connection)
    {
        Requests = new RequestTables(connection);
        Operator = new OperatorTables(connection, Requests);
        Replies = new ReplyTable(connection);
        Objects = new ObjectTable(connection);
    }

    public RequestTables Requests { get; }

    public OperatorTables Operator { get; }

    public ReplyTable Replies { get; }

    public ObjectTable Objects { get; }
}

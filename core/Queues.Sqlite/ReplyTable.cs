using Microsoft.Data.Sqlite;

namespace R1Serverless.Queues.Sqlite;

/// <summary>Replies on their way to gateways in other processes.</summary>
internal sealed class ReplyTable(SqliteConnection connection)
{
    private const int MaxTaken = 256;

    private readonly Statement _add = new(connection, "INSERT INTO replies (address, sent, body) VALUES ($1, $2, $3)");
    private readonly Statement _isThere = new(connection, "SELECT EXISTS (SELECT 1 FROM replies WHERE address = $1)");
    private readonly Statement _of = new(connection, "SELECT id, body FROM replies WHERE address = $1 ORDER BY id LIMIT $2");
    private readonly Statement _remove = new(connection, "DELETE FROM replies WHERE address = $1 AND id <= $2");
    private readonly Statement _purge = new(connection, "DELETE FROM replies WHERE sent < $1");

    /// <param name="now">In Unix milliseconds.</param>
    public int Add(string address, long now, byte[] body) => _add.Execute(address, now, body);

    /// <summary>Cheap, writes nothing.</summary>
    public bool IsThere(string address) => _isThere.Number(address) == 1;

    /// <summary>Takes the oldest out of the table, in order.</summary>
    public List<byte[]> Take(string address)
    {
        List<(long Id, byte[] Body)> rows = _of.Rows(row => (row.GetInt64(0), row.GetFieldValue<byte[]>(1)), address, MaxTaken);
        if (rows.Count > 0) _remove.Execute(address, rows[^1].Id);
        return rows.ConvertAll(row => row.Body);
    }

    public int RemoveAll(string address) => _remove.Execute(address, long.MaxValue);

    /// <summary>Removes what nobody took.</summary>
    public int Purge(long sentBefore) => _purge.Execute(sentBefore);
}

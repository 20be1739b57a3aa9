using System.Diagnostics;
using Microsoft.Data.Sqlite;
using R1Serverless.Abstractions;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues.Sqlite;

/// <summary>Processes that write, lease and complete are killed at random points; what they had acknowledged must hold.</summary>
public sealed class KilledQueueTests(ITestOutputHelper output)
{
    private const int Kills = 20;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whenever_a_process_is_killed_what_it_acknowledged_holds()
    {
        await using EmbeddedFixture fixture = new();
        var seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        Random random = new(seed);
        Told told = new();
        var next = Start(fixture.Folder, 0);
        for (var kill = 0; kill < Kills; kill++)
        {
            using var child = next;
            var ready = await child.StandardOutput.ReadLineAsync(Stop);
            Assert.Equal("R", ready);
            // The next one starts up meanwhile.
            if (kill + 1 < Kills) next = Start(fixture.Folder, kill + 1);
            await child.StandardInput.WriteLineAsync("go");
            await child.StandardInput.FlushAsync(Stop);
            // A random number of lines is a random point, whatever the machine's speed; without any it is killed while it opens the folder.
            var lines = kill % 5 == 4 ? 0 : random.Next(1, 1000);
            for (var i = 0; i < lines; i++) told.Add((await child.StandardOutput.ReadLineAsync(Stop))!);
            child.Kill();
            while (await child.StandardOutput.ReadLineAsync(Stop) is { } line) told.Add(line);
            await child.WaitForExitAsync(Stop);

            await CheckAsync(fixture, told);
        }

        await DrainAsync(fixture, told);
        output.WriteLine($"{Kills} kills: {told['E'].Count} enqueued, {told['C'].Count} completed, {told['D'].Count} dead letters, nothing lost");
    }

    private static Process Start(string folder, int number)
    {
        ProcessStartInfo start = new("dotnet") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardInput = true };
        foreach (var one in (string[])[typeof(KilledQueueTests).Assembly.Location, QueueChild.Command, folder, $"{(char)('a' + number)}"])
            start.ArgumentList.Add(one);
        return Process.Start(start)!;
    }

    private static async Task CheckAsync(EmbeddedFixture fixture, Told told)
    {
        using var connection = fixture.OpenDatabase();
        Assert.Equal(["ok"], Column(connection, "PRAGMA integrity_check", row => row.GetString(0)));
        List<string> queued = Ids(connection, "requests"), dead = Ids(connection, "dead");
        Assert.Equal(queued.Count + dead.Count, Column(connection, "SELECT COUNT(*) FROM bodies", row => row.GetInt32(0))[0]);
        HashSet<string> there = new([.. queued, .. dead], StringComparer.Ordinal);
        Assert.Equal(queued.Count + dead.Count, there.Count);

        // Nothing acknowledged is lost: what was enqueued and is not there was being completed.
        Assert.Empty(told['E'].Except(there).Except(told['c']));
        // Nothing completed comes back, and nothing is there that nobody enqueued.
        Assert.Empty(told['C'].Intersect(there));
        Assert.Empty(there.Except(told['e']));
        Assert.Empty(told['D'].Except(dead));
        Assert.Empty(dead.Except(told['d']));

        ResultStore results = new((await fixture.ConnectAsync()).Store);
        foreach (var id in told.TakeNew('P')) Assert.Equal(id, (await results.FindAsync(new RequestId(id), Stop))!.Id.Value);
    }

    /// <summary>Whatever is left is delivered, each once.</summary>
    private static async Task DrainAsync(EmbeddedFixture fixture, Told told)
    {
        var transport = await fixture.ConnectAsync();
        fixture.Clock.Advance(TimeSpan.FromSeconds(10));
        using var connection = fixture.OpenDatabase();
        List<string> queued = Ids(connection, "requests"), taken = [];
        while (await transport.Queue.LeaseAsync(WorkClass.Bulk, 100, TimeSpan.Zero, Stop) is { Count: > 0 } leases)
        {
            Assert.Equal(Enumerable.Repeat(true, leases.Count), await Task.WhenAll(leases.Select(lease => lease.CompleteAsync(Stop).AsTask())));
            taken.AddRange(leases.Select(lease => lease.Message.Request.Id.Value));
        }

        Assert.Equal(queued.Order(StringComparer.Ordinal), taken.Order(StringComparer.Ordinal));
        Assert.InRange((await transport.Queue.StatisticsAsync(WorkClass.Bulk, Stop)).DeadLetters, told['D'].Count, told['d'].Count);
        Assert.Equal(0, fixture.Number("SELECT COUNT(*) FROM requests"));
    }

    private static List<string> Ids(SqliteConnection connection, string table) =>
        Column(connection, $"SELECT body FROM {table} JOIN bodies USING (id)",
            row => MessageFormat.ReadRequest(row.GetFieldValue<byte[]>(0)).Request.Id.Value);

    private static List<T> Column<T>(SqliteConnection connection, string sql, Func<SqliteDataReader, T> read)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        List<T> rows = [];
        while (reader.Read()) rows.Add(read(reader));
        return rows;
    }

    /// <summary>What the children said, by its letter. A last line that is not whole says nothing.</summary>
    private sealed class Told
    {
        private readonly Dictionary<char, HashSet<string>> _ids = [];
        private readonly HashSet<string> _taken = new(StringComparer.Ordinal);

        public HashSet<string> this[char what] =>
            _ids.TryGetValue(what, out var ids) ? ids : _ids[what] = new HashSet<string>(StringComparer.Ordinal);

        public void Add(string line)
        {
            if (line.Split(' ') is [{ Length: 1 } what, var id]) this[what[0]].Add(id);
        }

        public List<string> TakeNew(char what) => [.. this[what].Where(_taken.Add)];
    }
}

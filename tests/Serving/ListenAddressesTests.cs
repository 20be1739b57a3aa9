using R1Serverless.Commands;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Serving;

public sealed class ListenAddressesTests
{
    [Theory]
    [InlineData(null, null, "http://127.0.0.1:7071")]
    [InlineData(null, 8000, "http://127.0.0.1:8000")]
    [InlineData("0.0.0.0", null, "http://0.0.0.0:7071")]
    [InlineData("localhost", 0, "http://localhost:0")]
    [InlineData("::1", 8000, "http://[::1]:8000")]
    public void Host_and_port_make_an_address(string? host, int? port, string expected) => Assert.Equal(expected, ListenAddresses.Of(host, port));

    [Theory]
    [InlineData("--port", "99999")]
    [InlineData("--port", "-1")]
    [InlineData("--port", "8000", "--urls", "http://127.0.0.1:1")]
    [InlineData("--host", "127.0.0.1", "--urls", "http://127.0.0.1:1")]
    public void What_names_no_address_is_refused(params string[] arguments) =>
    Assert.Single(ServeCommand.Create(LocalModels.LoadAsync).Parse(arguments).Errors);
}
